import json
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from indexer.memory import index_pages
from indexer.sources import find_pages, load_page, read_page
from rag.config.settings import load_settings
from rag.core.documents import Block, Page
from rag.encoders import bundled_encoder
from rag.stores import PREFIX, throwaway_store
from souffleur import cli
from tests.services import request

QUESTIONS = "tests/quality/questions.jsonl"


def run(*arguments):
    done = CliRunner().invoke(cli.main, list(map(str, arguments)))
    assert not done.exception or isinstance(done.exception, SystemExit), done.output
    return done


@pytest.fixture(scope="module")
def beir(tmp_path_factory, corpus_folder):
    """The sample pages and their questions as a folder in BEIR's format."""
    folder = tmp_path_factory.mktemp("beir")
    pages = [load_page(c, read_page(c)) for c in find_pages([corpus_folder]).candidates]
    corpus = [
        {
            "_id": page.id,
            "title": page.title,
            "text": "\n".join("\n".join((b.text, *b.items)) for b in page.blocks),
        }
        for page in pages
    ]
    rows = [orjson.loads(line) for line in Path(QUESTIONS).read_text().splitlines()]
    asked = [row for row in rows if row["page"]]
    queries = [{"_id": f"q{i}", "text": row["question"]} for i, row in enumerate(asked)]
    for name, items in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, items)))
    qrels = "".join(f"q{i}\t{row['page']}\t1\n" for i, row in enumerate(asked))
    (folder / "qrels").mkdir()
    (folder / "qrels/test.tsv").write_text(qrels)
    return folder


@pytest.fixture
def own_index(corpus_folder):
    assert run("index", corpus_folder).exit_code == 0


def evaluated(*arguments):
    done = run("evaluate", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return orjson.loads(done.stdout)


@pytest.fixture(scope="module")
def found(tmp_path_factory, corpus_folder):
    """What is measured on the sample pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HELP_DATA_DIR", str(tmp_path_factory.mktemp("sample")))
        assert run("index", corpus_folder).exit_code == 0
        limits = ("--fail-below", 0.86, "--fail-below", "nDCG@10=0.91")
        return evaluated("--questions", QUESTIONS, *limits)


def test_the_sample_pages_are_found_and_the_gate_refuses(found):
    assert found["queries"] == 175
    assert found["Success@3"] >= found["Success@1"]
    assert found["gate"]["unanswerable"] == found["groups"]["none"]["queries"] == 26
    for figures in (found["gate"], found["groups"]["none"]):
        assert figures["refusal_precision"] >= 0.58
        assert figures["refusal_recall"] >= 0.78
    assert sum(row["queries"] for row in found["gate"]["reliability"]) == 201
    assert found["gate"]["calibration_error"] < 0.15


def test_fused_figures_are_above_each_leg_alone(found):
    for leg in ("bm25", "knn"):
        assert found["nDCG@10"] > found["legs"][leg]["nDCG@10"]


def test_a_page_that_is_not_in_the_index_is_named(own_index, tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "Où ?", "page": "nulle-part.md"}\n')
    done = run("evaluate", "--questions", path)
    assert done.exit_code == 2
    assert "line 1: the page 'nulle-part.md' is not in the index" in done.stderr


@pytest.mark.parametrize("row", ['{"question": "Où ?"}', '{"question": "Où ?", "page": null}'])
def test_questions_without_any_answer_measure_nothing(own_index, tmp_path, row):
    path = tmp_path / "questions.jsonl"
    path.write_text(row)
    assert run("evaluate", "--questions", path).exit_code == 2


def test_an_empty_index_and_a_missing_file_are_explained(tmp_path, corpus_folder):
    assert "python cli.py index" in run("evaluate", "--questions", QUESTIONS).stderr
    run("index", corpus_folder)
    missing = run("evaluate", "--questions", tmp_path / "absent.jsonl")
    assert "there is no such file" in missing.stderr


def test_both_stores_give_the_same_figures_and_nothing_stays(beir, elasticsearch_url, monkeypatch):
    here = evaluated("--beir", beir)
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    there = evaluated("--beir", beir)
    assert there["settings"]["store"] == "elasticsearch"
    for name in ("nDCG@10", "R@10", "RR@10", "Success@1"):
        assert there[name] == pytest.approx(here[name], abs=0.02)
    assert not request(f"{elasticsearch_url}/{PREFIX}-*/_settings?expand_wildcards=all")


def test_nothing_stays_in_elasticsearch_after_an_error(elasticsearch_url, monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    page = Page("a.md", "Titre", (Block("paragraph", "Du texte."),))
    with pytest.raises(KeyboardInterrupt), throwaway_store(load_settings()) as store:
        index_pages([page], store, bundled_encoder())
        assert store.count() == 1
        raise KeyboardInterrupt
    assert not request(f"{elasticsearch_url}/{PREFIX}-*/_settings?expand_wildcards=all")
