"""The documentation says what the code does: generated parts, names, links, commands, outputs."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from rag.config.settings import Settings
from rag.core import errors
from souffleur import cli

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "guide.fr.md").read_text("utf-8")
GENERATED = ["docs/settings.md", "docs/cli.md", "README.md", "docs/terminal.svg"]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("", "docs", "docs/adr", "training", "rag/encoders/bundled")
    for path in (ROOT / folder).glob("*.md")
)
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:python cli\.py|(?<=`)souffleur|^souffleur) +([^`\n|>#]+)", re.MULTILINE)
FORBIDDEN = {
    "a registry": r"(?i)\b(?:pypi|pythonhosted|npmjs|huggingface|docker|crates)\.(?:org|com?|io)\b",
    "a path of one machine": r"(?<![\w.~:/])/(?:home|root|tmp|work|var|Users|mnt|opt)/",
    "a folder outside": r"\.\./shared\b",
}
NAMES = {
    name: [str(choice) for choice in field.validation_alias.choices]
    for name, field in Settings.model_fields.items()
}
ERRORS = [name for name, _ in inspect.getmembers(errors, inspect.isclass)]


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The generator, how it runs commands, and what it would write."""
    generator = load_generator()
    folder = tmp_path_factory.mktemp("docs")
    return generator, folder, dict(generator.pages(generator.runner(str(folder))))


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_current(name, demo):
    generator, _, wanted = demo
    assert generator.is_current(ROOT / name, wanted[ROOT / name]), f"{name}: run make docs"


def test_the_readme_shows_the_page_that_answers(demo):
    _, _, wanted = demo
    shown = wanted[ROOT / "README.md"]
    assert "1. Créer un client\n" in shown, "search"
    assert "  [1] Créer un client > Créer la fiche\n" in shown, "ask --no-llm"
    assert "Je n’ai pas trouvé la réponse dans les pages d’aide." in shown, "refusal"


@pytest.mark.parametrize(
    "code",
    re.findall(r"```python\n(.*?)```", Path(ROOT, "README.md").read_text("utf-8"), re.DOTALL),
)
def test_the_readmes_python_runs(code, demo):
    environment = os.environ | {"HELP_DATA_DIR": str(demo[1]), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "clients/creer-un-client" in done.stdout


@pytest.mark.parametrize("alias", [alias for names in NAMES.values() for alias in names])
def test_every_setting_and_alias_is_documented(alias):
    assert f"`{alias}`" in (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_every_setting_is_in_the_operators_guide(names):
    assert f"| `{names[0]}` |" in GUIDE


@pytest.mark.parametrize("name", cli.main.commands)
def test_every_command_and_option_is_documented(name):
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    _, _, section = text.partition(f"## python cli.py {name}\n")
    section = section.partition("\n## ")[0]
    assert section
    for parameter in cli.main.commands[name].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert re.search(rf"^  {option}\b", section, re.MULTILINE), option


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_in_the_operators_guide(name):
    assert f"`{name}`" in GUIDE


def test_the_guides_messages_are_those_of_the_code():
    folders = ("rag", "indexer", "souffleur")
    sources = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py")]
    code = "\n".join(path.read_text("utf-8") for path in sources)
    code = re.sub(r'"\s*f?"', "", code)  # texts that go on in the next line
    table = GUIDE.partition("## Messages d’erreur")[2]
    firsts = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    for said in re.findall(r"`([^`]+)`", "\n".join(firsts)):
        for part in filter(None, (part.strip(" '") for part in said.split("…"))):
            assert part in code, f"no message says {part!r}"


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_lead_somewhere(name):
    assert not list(broken_links(ROOT / name))


def broken_links(path: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text("utf-8")))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        if not linked.exists():
            yield target
        elif anchor and anchor not in anchors(linked.read_text("utf-8")):
            yield f"{target}: no such heading"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", PAGES)
def test_commands_shown_can_be_given(name):
    text = (ROOT / name).read_text("utf-8")
    # in a text, `python cli.py …` names a command; in a block it is one
    for code in [*FENCE.findall(text), *re.findall(r"`[^`\n]*`", text)]:
        for command in COMMAND.findall(code):
            if name != "docs/cli.md":
                parse(command.strip())


def parse(command: str) -> None:
    """Parse a command line as click does. Raises: click.UsageError."""
    words = shlex.split(command)
    try:
        if words[0].startswith("-"):
            context = cli.main.make_context("cli.py", list(words))
            words = [word for word in words if word not in ("--debug", "--setup-elasticsearch")]
        else:
            context = click.Context(cli.main)
        if words:
            _, found, rest = cli.main.resolve_command(context, words)
            found.make_context(found.name, rest)
    except click.exceptions.Exit:
        return  # --version, --help


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_documentation_names_no(what):
    files = [*PAGES, "docs/generate.py", "docs/terminal.svg", "docker-compose.yml", "Makefile"]
    found = {
        name: match.group()
        for name in files
        if (match := re.search(FORBIDDEN[what], (ROOT / name).read_text("utf-8")))
    }
    assert not found
