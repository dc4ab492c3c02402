"""`status` and the switches: what is in force, where it comes from, and what it changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from souffleur import cli
from tests.pages import write_pages
from tests.scripted import unused_url

QUESTION = "Comment créer un client ?"


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELP_DEGRADED_MODE", "true")
    pages = write_pages(tmp_path / "pages")
    # a parser's time limit is short for a busy machine
    assert any(call("index", pages).exit_code == 0 for _ in range(3))
    return pages


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, arguments)))


def read(*arguments: object) -> dict:
    done = call(*arguments, "--json")
    assert done.exit_code in {0, 1}, done.output
    return json.loads(done.stdout)


def test_status_shows_switches_settings_index_and_cache(indexed, tmp_path):
    (tmp_path / ".env").write_text("HELP_TIMEOUT=7\nOPENAI_API_KEY=sk-secret\n")
    assert call("optimize", "--disable-streaming").exit_code == 0
    done = call("status")
    assert done.exit_code == 0, done.output
    assert "switches: cache on, streaming off, embeddings on" in done.stdout
    assert "5 chunks of 3 pages" in done.stdout
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert rows["HELP_TIMEOUT"] == ["7.0", ".env"]
    assert rows["AI_ENABLE_STREAMING"] == ["false", "saved", "switch"]
    assert "HELP_MODEL" not in rows
    assert "HELP_MODEL" in call("status", "--all").stdout
    assert "sk-secret" not in call("status", "--all").stdout
    found = read("status")
    assert found["switches"] == {"cache": True, "streaming": False, "embeddings": True}
    assert found["index"]["ok"]
    assert found["cache"]["detail"].startswith("0 answers")


def test_status_names_what_does_not_answer(indexed, monkeypatch):
    monkeypatch.setenv("HELP_DEGRADED_MODE", "false")
    monkeypatch.setenv("OLLAMA_URL", unused_url())
    found = read("status")
    assert not found["ollama"]["ok"]
    assert "nothing listens" in found["ollama"]["detail"]


def test_without_an_index_status_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELP_DEGRADED_MODE", "true")
    done = call("status")
    assert done.exit_code == 0
    assert "python cli.py index" in done.stdout


def test_without_embeddings_every_answer_says_that_words_alone_were_searched(indexed):
    assert sorted(read("ask", QUESTION)["legs"]) == ["bm25", "knn"]
    assert call("optimize", "--disable-embeddings").exit_code == 0
    for question in (QUESTION, "Faire l'inventaire", "fusionner deux clients"):
        assert read("ask", question)["legs"] == ["bm25"]
    assert all(list(hit["legs"]) == ["bm25"] for hit in read("search", QUESTION)["hits"])
    assert "BM25 alone" in read("doctor")["checks"][2]["detail"]
    assert call("optimize", "--enable-embeddings").exit_code == 0
    assert sorted(read("ask", QUESTION)["legs"]) == ["bm25", "knn"]
