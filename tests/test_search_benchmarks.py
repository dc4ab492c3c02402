"""`benchmark` of encoding and searching, its picture, and the line that an embedding logs."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag import generate_embedding
from rag.diagnostics.bench_search import ndcg
from rag.diagnostics.datasets import Question
from souffleur import cli
from tests.pages import write_pages

LINE = re.compile(r"\[DEBUG\] \S+ \S+ [\w.]+ - Embedding généré en \d+\.\d{3}s")


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pages = write_pages(tmp_path / "pages")
    # a parser's time limit is short for a busy machine
    assert any(call("index", pages).exit_code == 0 for _ in range(3))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, arguments)))


def measured(*arguments: object) -> dict:
    done = call("benchmark", "--json", "--iterations", 3, *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_embedding_has_speed_by_batch_and_quality_beside(indexed):
    found = measured("--embedding-benchmark")["embedding"]
    assert (found["iterations"], found["chunks"], found["own"]) == (3, 5, True)
    one = found["encoders"]["bundled"]
    assert list(one["batches"]) == ["1", "8", "32", "128"]
    for batch in one["batches"].values():
        assert 0 < batch["p50"] <= batch["p95"]
        assert batch["texts_per_s"] > 0
    assert one["dimension"] == 768
    assert 0.5 < one["nDCG@10"] <= 1


def test_another_encoder_is_measured_beside_the_bundled_one(
    indexed, monkeypatch, ollama_url, embedding_model
):
    monkeypatch.setenv("OLLAMA_URL", ollama_url)
    monkeypatch.setenv("AI_EMBEDDING_MODEL", f"ollama:{embedding_model}")
    found = measured("--embedding-benchmark")["embedding"]
    assert list(found["encoders"]) == [f"ollama:{embedding_model}", "bundled"]
    monkeypatch.setenv("AI_EMBEDDING_MODEL", "ollama:absent")
    found = measured("--embedding-benchmark")["embedding"]
    assert list(found["encoders"]) == ["bundled"]
    assert "ollama pull absent" in found["failures"]["ollama:absent"]


def test_retrieval_has_both_ways_of_searching(indexed, monkeypatch):
    found = measured("--retrieval-benchmark")["retrieval"]
    assert list(found["ways"]) == ["vectors and words", "words alone"]
    for one in found["ways"].values():
        assert 0 < one["question_ms"]["p50"] <= one["question_ms"]["p95"]
        assert 0.5 < one["nDCG@10"] <= 1
    monkeypatch.setenv("AI_ENABLE_EMBEDDINGS", "false")
    assert list(measured("--retrieval-benchmark")["retrieval"]["ways"]) == ["words alone"]


def test_a_terminal_gets_the_machine_and_tables(indexed):
    names = ("--embedding-benchmark", "--retrieval-benchmark")
    shown = call("benchmark", *names, "--iterations", 2).stdout
    for told in ("cores", "texts/s", "nDCG@10", "words alone", "p95"):
        assert told in shown


@pytest.mark.parametrize(("name", "begins"), [("out.png", b"\x89PNG"), ("out.svg", b"<?xml")])
def test_a_picture_is_drawn(indexed, tmp_path, name, begins):
    measured("--retrieval-benchmark", "--embedding-benchmark", "--plot", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_drawn_is_refused_first(indexed, tmp_path):
    for path, told in {"out.xyz": "no known format", "absent/out.png": "no folder"}.items():
        done = call("benchmark", "--retrieval-benchmark", "--plot", tmp_path / path)
        assert done.exit_code == 2
        assert told in done.stderr
        assert done.stdout == ""


def test_ndcg_is_one_for_the_right_order_and_falls_with_the_place():
    question = Question("q", "q", judged={"a": 1})
    assert ndcg(["a", "b"], question) == 1.0
    assert ndcg(["b", "a"], question) == pytest.approx(0.6309, abs=1e-4)
    assert ndcg(["b"], question) == 0.0


def test_an_embedding_logs_its_line(indexed, caplog):
    with caplog.at_level(logging.DEBUG):
        generate_embedding("créer un client")
        assert call("search", "créer un client").exit_code == 0
    form = logging.Formatter("[%(levelname)s] %(asctime)s %(name)s - %(message)s")
    lines = [form.format(record) for record in caplog.records if "Embedding" in record.msg]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert {record.name for record in caplog.records} >= {"rag.api", "rag.retriever"}
