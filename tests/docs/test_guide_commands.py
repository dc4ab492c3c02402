"""Every command line of the operator's guide runs, in its order, against real services."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import CLI, ROOT
from tests.pages import write_pages
from tests.server.running import serving

GUIDE = (ROOT / "docs" / "guide.fr.md").read_text("utf-8")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(python cli\.py [^`]+)`")
PROGRAM = "python cli.py "
LIMIT_S = 300.0  # a model that is not heard again is waited for, for 120 s
ELSEWHERE = ("make ", ". .venv", "ollama ", "docker ", "pip ")  # what the fixtures stand for
# as much as it takes to see that they work; the figures are nobody's
SHORTER = {"--iterations": "2", "--limit": "2"}
# 3: a parser's time is short on a busy machine; 1: what the services here are worth, or a refusal
CODES = {"index": {0, 3}, "doctor": {0, 1}, "ask": {0, 1}, "cache": {0, 1}, "evaluate": {0, 1}}
TWICE = {"benchmark": "each of its parts is run by itself"}


def shown() -> list[str]:
    """Return the lines of the guide's blocks, then the commands that stand in its text."""
    lines = [line for block in FENCE.findall(GUIDE) for line in block.splitlines() if line]
    named = dict.fromkeys(line.replace("\n", " ") for line in INLINE.findall(GUIDE))
    return [*lines, *(line for line in named if line not in lines and "…" not in line)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an operator who follows the guide has beside him."""
    shutil.copytree(ROOT / "corpus", tmp_path / "aide")
    write_pages(tmp_path / "manuel", {"cave.md": "# Ouvrir la cave\n\nTournez la clé.\n"})
    write_pages(tmp_path, {"nouveautes.md": "# Nouveautés\n\nLa cave s'ouvre.\n"})
    questions = re.findall(r'^\{"question": .+\}$', GUIDE, re.MULTILINE)
    assert questions
    (tmp_path / "mes-questions.jsonl").write_text("\n".join(questions), "utf-8")
    return tmp_path


def test_every_command_of_the_guide_runs(
    folder: Path,
    elasticsearch_url: str,
    index_prefix: str,
    ollama_url: str,
    chat_model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_URL", ollama_url)
    monkeypatch.setenv("ELASTICSEARCH_INDEX", f"{index_prefix}aide")
    monkeypatch.setenv("HELP_API_KEY", "k" * 32)
    commands = 0
    for line in shown():
        if line.startswith("export ELASTICSEARCH_URL="):
            monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
        elif line.startswith(PROGRAM):
            commands += 1
            run(line.removeprefix(PROGRAM), folder)
        else:
            assert line.startswith(ELSEWHERE), f"the guide shows what is not run here: {line}"
    assert commands > 40
    assert "<html" in (folder / "rapport.html").read_text("utf-8")


def run(line: str, folder: Path) -> None:
    """Run a command line as the guide has it, and see that it ends well."""
    command, _, target = line.partition(" > ")
    words = list(shortened(shlex.split(command)))
    if words in ([name] for name in TWICE):
        return
    if words[0] == "serve":
        with serving(None, arguments=words[1:]) as server:
            assert server.process.poll() is None
        return
    done = subprocess.run(
        [*CLI, *words],
        cwd=folder,
        env=os.environ | {"PYTHONUTF8": "1"},
        input="Comment créer un client ?\n" if words[0] == "chat" else "",
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode in CODES.get(words[0], {0}), f"{line}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"
    # nobody speaks to `mcp` here, which answers only
    assert done.stdout or done.stderr or words == ["mcp"], f"{line}: said nothing"
    if target:
        for name in (target, "apres.json"):  # the same, measured a second time
            (folder / name).write_text(done.stdout, "utf-8")


def shortened(words: list[str]) -> Iterator[str]:
    """Yield the words with smaller numbers."""
    if words[0] == "benchmark" and "--iterations" not in words:
        words = [*words, "--iterations", "2"]
    for before, word in zip(["", *words], words, strict=False):
        yield SHORTER.get(before, word)
