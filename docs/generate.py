"""Write into the documentation what the code says, or check that it is still so.

    python docs/generate.py [--check]

Written are docs/settings.md, docs/cli.md, docs/terminal.svg and, in README.md, the output of the
commands in each block under a `<!-- run -->` mark. `--check` writes nothing and exits with 1 when
one of them is out of date. Scores and times may differ: they follow the encoder and the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rag.config.settings import Settings
from rag.server.settings import ServerSettings
from souffleur.cli import main as cli

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"(<!-- run(?:, first (\d+) lines)? -->\n```console\n)(.*?)(```)", re.DOTALL)
# what depends on the encoder or on the machine
VARYING = re.compile(r"\d+\.\d+|\d+(?= (?:chunks|written|unchanged)\b)")
OURS = ("rag", "indexer", "souffleur")
OUR_SETTINGS = ("AI_", "ELASTICSEARCH_", "HELP_", "OLLAMA_", "OPENAI_")
NOTE = "<!-- Made by docs/generate.py: change the code, then run `make docs`. -->\n"
SHOWN = 'python cli.py ask --no-llm "Comment créer un client ?"'
COLUMNS, LINE_PX, MARGIN_PX, COLUMN_PX = 100, 20, 24, 8.4

Run = Callable[[str], str]


def settings_page() -> str:
    """Return docs/settings.md: every setting with its names, default, limits and meaning."""
    rows, doors = (_setting_rows(kind) for kind in (Settings, ServerSettings))
    return f"""{NOTE}
# Settings

Read in this order, the first that names a setting wins: environment, a Django site's settings,
`.env` in the working folder, `switches.json` in the data folder. An empty variable counts as unset.
A wrong value is refused at start, with its name.

| name | default | meaning | also read as |
|---|---|---|---|
{rows}

## Of the server

Read from the environment and `.env` when the server starts ([ADR 16](adr/0016-doors.md)).

| name | default | meaning | also read as |
|---|---|---|---|
{doors}
"""


def _setting_rows(kind: type[BaseSettings]) -> str:
    return "\n".join(_setting_row(name, field) for name, field in kind.model_fields.items())


def _setting_row(name: str, field: FieldInfo) -> str:
    first, *others = map(str, field.validation_alias.choices)  # type: ignore[union-attr]
    default = "unset" if field.default is None else f"`{_plain(field.default)}`"
    limits = ", ".join(filter(None, map(_limit, field.metadata)))
    meaning = f"{field.description}{f' ({limits})' if limits else ''}"
    if field.annotation == SecretStr | None:
        meaning += ". Secret: never shown"
    if not _is_read(name):
        meaning += ". **Read, but without effect yet**"
    return f"| `{first}` | {default} | {meaning} | {', '.join(f'`{o}`' for o in others)} |"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limit(rule: object) -> str:
    words = {"gt": "more than", "ge": "at least", "le": "at most", "lt": "less than"}
    for name, word in words.items():
        if (value := getattr(rule, name, None)) is not None:
            return f"{word} {value:g}"
    return ""


def _is_read(name: str) -> bool:
    """Say whether any module but the settings' own reads this field."""
    modules = [path for name in OURS for path in ROOT.glob(f"{name}/**/*.py")]
    own = {ROOT / "rag" / "settings.py", ROOT / "rag" / "server" / "settings.py"}
    others = (path for path in modules if path not in own)
    return any(re.search(rf"\.{name}\b", path.read_text("utf-8")) for path in others)


def cli_page() -> str:
    """Return docs/cli.md: the help of the program and of each of its commands."""
    blocks = [f"## python cli.py\n\n```text\n{_help(cli, 'python cli.py')}\n```\n"]
    for name, command in sorted(cli.commands.items()):
        said = _help(command, f"python cli.py {name}")
        blocks.append(f"## python cli.py {name}\n\n```text\n{said}\n```\n")
        for part, one in sorted(getattr(command, "commands", {}).items()):
            path = f"python cli.py {name} {part}"
            blocks.append(f"### {path}\n\n```text\n{_help(one, path)}\n```\n")
    intro = "Installed, the program is also called `souffleur`. Messages go to standard error.\n"
    return "\n".join([NOTE, "# Commands\n", intro, *blocks])


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=90, max_content_width=90)
    return command.get_help(context)


def readme(text: str, run: Run) -> str:
    """Return README.md with the output of the commands that it shows."""

    def filled(block: re.Match[str]) -> str:
        begin, most, body, end = block.groups()
        commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        return begin + "".join(_transcript(c, run, int(most or 10_000)) for c in commands) + end

    return MARK.sub(filled, text)


def _transcript(command: str, run: Run, most: int) -> str:
    lines = run(command).rstrip().splitlines()[:most]
    return "\n".join([f"$ {command}", *lines, ""])


def terminal_picture(run: Run) -> str:
    """Return docs/terminal.svg: a terminal with a question and its answer."""
    said = [f"$ {SHOWN}", *run(SHOWN).rstrip().splitlines()]
    lines = [part for line in said for part in wrap(line, COLUMNS, break_on_hyphens=False) or [""]]
    width = round(COLUMNS * COLUMN_PX + 2 * MARGIN_PX)
    height = LINE_PX * (len(lines) + 1) + 2 * MARGIN_PX
    rows = "\n".join(_picture_line(number, line) for number, line in enumerate(lines))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>{escape(SHOWN)}</title>
<rect width="{width}" height="{height}" rx="10" fill="#1d1f27"/>
<circle cx="24" cy="22" r="6" fill="#ff5f57"/><circle cx="44" cy="22" r="6" fill="#febc2e"/>
<circle cx="64" cy="22" r="6" fill="#28c840"/>
<g font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14"
 fill="#d8dbe5" xml:space="preserve">
{rows}
</g>
</svg>
"""


def _picture_line(number: int, line: str) -> str:
    colours = {"$ ": "#8fd18f", "Ext": "#e6c25c", "  [": "#8ab4f8", "   ": "#8ab4f8"}
    colour = next((value for start, value in colours.items() if line.startswith(start)), "")
    fill = f' fill="{colour}"' if colour else ""
    height = MARGIN_PX + LINE_PX * (number + 2) - 6
    return f'<text x="{MARGIN_PX}" y="{height}"{fill}>{escape(line)}</text>'


def pages(run: Run) -> Iterator[tuple[Path, str]]:
    """Yield each file and what it must hold."""
    yield ROOT / "docs" / "settings.md", settings_page()
    yield ROOT / "docs" / "cli.md", cli_page()
    yield ROOT / "README.md", readme((ROOT / "README.md").read_text("utf-8"), run)
    yield ROOT / "docs" / "terminal.svg", terminal_picture(run)


def runner(data_folder: str) -> Run:
    """Return a function that runs a command of ours on corpus/ and returns what it prints."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(OUR_SETTINGS)}
    environment = {**own, "HELP_DATA_DIR": data_folder, "PYTHONUTF8": "1"}

    def run(command: str) -> str:
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(
            words, check=False, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8"
        )
        if done.returncode == 2:
            raise SystemExit(f"{command}: {done.stderr}")
        return done.stdout

    return run


def is_current(path: Path, wanted: str) -> bool:
    """Say whether a file holds what it must, but for scores and times."""
    held = path.read_text("utf-8") if path.exists() else ""
    return VARYING.sub("#", held) == VARYING.sub("#", wanted)


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if stale")
    checks = parser.parse_args().check
    stale = False
    with TemporaryDirectory() as folder:
        for path, wanted in pages(runner(folder)):
            if is_current(path, wanted):
                continue
            stale = True
            print(f"{path.relative_to(ROOT)}: {'out of date: run make docs' if checks else 'new'}")
            if not checks:
                path.write_text(wanted, "utf-8")
    sys.exit(1 if stale and checks else 0)


if __name__ == "__main__":
    main()
