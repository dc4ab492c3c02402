"""A conversation as people have it in a terminal, and as a program has it through pipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import CLI, souffleur
from tests.scripted import END, HEAD, ScriptedServer, line, unused_url, wait_until
from tests.terminal import CTRL_C, CTRL_D, Terminal

PROMPT = "› "
CREATE, DELETE = "Comment créer un client ?", "et pour le supprimer ?"
CREATED, DELETED = "#créer-la-fiche", "archiver-ou-supprimer-un-client"
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 900, "eval_count": 1}


@pytest.fixture(scope="module")
def corpus_index(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the sample pages in it."""
    folder = tmp_path_factory.mktemp("data")
    assert souffleur("index", corpus_folder, cwd=folder, HELP_DATA_DIR=folder).returncode == 0
    return folder


@pytest.fixture(autouse=True)
def corpus_data(corpus_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample pages' index as this test's own."""
    monkeypatch.setenv("HELP_DATA_DIR", str(shutil.copytree(corpus_index, tmp_path / "data")))
    monkeypatch.chdir(tmp_path)


def talk(*arguments: str, **settings: str) -> Terminal:
    return Terminal([*CLI, "chat", *arguments], **settings)


def piped(lines: str, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "chat", *arguments],
        env=os.environ | {name: str(value) for name, value in settings.items()},
        input=lines,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


class Endless:
    """A model's script without end; ``left`` once its reader has gone."""

    def __init__(self) -> None:
        self.left = False

    def __iter__(self) -> Iterator[bytes | float]:
        try:
            yield HEAD
            for _ in range(3_000):
                yield line("Vérifiez l'adresse de facturation [1].\n")
                yield 0.02
            yield line(**DONE)
        finally:
            self.left = True


def test_a_question_is_answered_and_a_follow_up_keeps_its_context() -> None:
    with talk("--no-llm") as terminal:
        terminal.wait_for("Ask your questions")
        terminal.wait_for(PROMPT)
        terminal.type(f"{CREATE}\n")
        said = terminal.wait_for(CREATED)
        assert said.index("Extrait de l’aide\u00a0:") < said.index("1. Ouvrez Clients")
        assert said.count("1. Ouvrez Clients") == 1
        assert "Sources\u00a0:" in said
        terminal.wait_for(PROMPT)
        terminal.type(f"{DELETE}\n")
        terminal.wait_for(DELETED)
        terminal.wait_for(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.shown


@pytest.mark.parametrize("leaving", [CTRL_C, CTRL_D, "/quit\n", "/quitter\n"])
def test_leaving_gives_exit_code_0(leaving: str) -> None:
    with talk("--no-llm") as terminal:
        terminal.wait_for(PROMPT)
        assert terminal.ended(typing=leaving) == 0
        assert "Aborted" not in terminal.shown


def test_ctrl_c_on_a_typed_line_forgets_the_line_alone() -> None:
    with talk("--no-llm") as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("Comment cr")
        terminal.wait_for("Comment cr")
        terminal.wait_for(PROMPT, typing=CTRL_C)
        terminal.type("/help\n")
        terminal.wait_for("Ctrl-C arrête la")
        terminal.wait_for(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.ended() == 0


def test_ctrl_c_stops_the_answer_and_hangs_up_on_the_model() -> None:
    endless = Endless()
    quick = ScriptedServer([HEAD, line("a"), line(**DONE), END])
    with quick as server, talk(OLLAMA_URL=quick.url, HELP_TIMEOUT="120") as terminal:
        terminal.wait_for(PROMPT)
        # the model is warmed by its rules, then timed, as the server counts nothing
        assert wait_until(lambda: len(server.requests) == 2, 60)
        time.sleep(0.5)
        server.script = endless
        terminal.type(f"{CREATE}\n")
        terminal.wait_for("1. Ouvrez Clients")
        assert wait_until(lambda: len(server.requests) > 2, 60)
        assert not endless.left
        terminal.type(CTRL_C)
        terminal.wait_for("Réponse arrêtée.")
        assert wait_until(lambda: endless.left, 30)
        terminal.wait_for(PROMPT)
        terminal.type("/new\n")
        terminal.wait_for("Nouvelle conversation")
        terminal.wait_for(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.shown


def test_ctrl_c_stops_a_real_slow_model(ollama_url: str, slow_model: str) -> None:
    settings = {"OLLAMA_URL": ollama_url, "HELP_MODEL": slow_model, "HELP_TIMEOUT": "120"}
    with talk(**settings) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type(f"{CREATE}\n")
        terminal.wait_for("1. Ouvrez Clients")  # the extract, before the model has ended
        terminal.type(CTRL_C)
        terminal.wait_for(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.shown


def test_a_model_out_of_reach_shows_its_extract_once_and_the_reason() -> None:
    with talk(OLLAMA_URL=unused_url()) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type(f"{CREATE}\n")
        said = terminal.wait_for("Sources\u00a0:")
        assert said.count("1. Ouvrez Clients") == 1
        assert "le modèle de langage n’est pas joignable" in said


def test_the_lines_of_a_pipe_are_answered_in_turn() -> None:
    done = piped(f"{CREATE}\n\n{DELETE}\n/new\n/quit\nnever asked\n", "--no-llm")
    assert (done.returncode, done.stderr) == (0, "")
    first, _, second = done.stdout.partition(CREATED)
    assert "Extrait de l’aide\u00a0:" not in first
    assert DELETED in second
    assert "Nouvelle conversation" in second
    assert done.stdout.count("Sources") == 2


def test_a_new_conversation_has_forgotten_the_last() -> None:
    question = "et en PDF ?"
    known = piped(f"Comment exporter mes clients ?\n{question}\n", "--no-llm").stdout
    forgotten = piped(f"Comment exporter mes clients ?\n/new\n{question}\n", "--no-llm").stdout
    assert known.count("/exporter-des-clients") > forgotten.count("/exporter-des-clients")


def test_english_is_met_in_english() -> None:
    done = piped("How do I create a customer?\nPDF?\n/help\n", "--no-llm")
    assert done.stdout.count("switched off") >= 1
    assert "Ctrl-C stops the answer" in done.stdout


def test_a_question_too_long_is_refused_and_the_conversation_goes_on() -> None:
    done = piped(f"{'mot ' * 1_000}\n{CREATE}\n", "--no-llm")
    assert done.returncode == 0
    assert "at most 2,000" in done.stderr
    assert CREATED in done.stdout


def test_an_index_that_is_not_there_is_explained(tmp_path: Path) -> None:
    done = piped(f"{CREATE}\n", "--no-llm", HELP_DATA_DIR=tmp_path / "none")
    assert done.returncode == 2
    assert "cli.py index" in done.stderr
    assert "Traceback" not in done.stderr
