"""A data folder made by 448dbfc (README.md beside this file says how) goes on without loss.

Where its index has to be made anew, the message names the command; everything else stays.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.config.settings import load_settings
from rag.stores import open_turn_store
from souffleur import cli

ARCHIVE = Path(__file__).with_name("installation-448dbfc.tar.gz")
MADE_AT_S = 1_796_130_660.0  # half a minute after its conversation
CONVERSATION = "0b2b6c1e-7c56-4c8e-9d52-6f0d6a7f1c11"
PHONE = "Quel est votre numéro de téléphone ?"
ALONE = {
    "Comment créer un client ?",
    "Comment importer des clients ?",
    "Comment archiver un client ?",
}
KEPT = {*ALONE, "pour archiver des clients ?"}  # what a follow-up meant, in its conversation
REBUILD = "index --full"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pages and the data folder, as the old version left them."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELP_JOURNAL_DAYS", "3650")
    return tmp_path


@pytest.fixture
def indexed(folder: Path) -> Path:
    """The same, its index made anew where this version asks for that in so many words."""
    if (done := call("search", "client")).exit_code:
        assert done.exit_code == 2 and REBUILD in done.stderr, done.output
        assert call("index", "--full", "aide").exit_code == 0
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


def read(*arguments: str) -> dict:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.usefixtures("indexed")
def test_its_pages_are_found():
    hits = read("search", "Comment créer un client ?")["hits"]
    assert hits[0]["page"] == "clients/creer-un-client.md"
    assert set(hits[0]["legs"]) == {"knn", "bm25"}


@pytest.mark.usefixtures("indexed")
def test_its_pages_are_read_again_where_they_lie_now():
    report = read("index", "aide")
    assert (report["pages"], report["deleted"], report["skipped"]) == (3, 0, [])
    assert read("verify")["checks"]
    assert {entry["question"] for entry in entries()} == {*KEPT, PHONE}


@pytest.mark.usefixtures("folder")
def test_its_saved_switches_are_in_force():
    assert read("optimize") == {"cache": True, "streaming": False, "embeddings": True}


@pytest.mark.usefixtures("indexed")
def test_a_pinned_answer_is_served_with_a_model_and_without():
    for options in ((), ("--no-llm",)):
        answer = read("ask", PHONE, *options)
        assert answer["text"].startswith("Appelez le 04 00 00 00 00")
        assert answer["cached"] == "exact"


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("question", "cached"),
    [
        *((question, "exact") for question in sorted(ALONE)),
        ("Comment ajouter un client ?", "semantic"),
    ],
)
def test_a_kept_answer_is_served_to_its_question_and_to_one_like_it(question, cached):
    texts = {entry["text"] for entry in entries() if entry["question"] in KEPT}
    answer = read("ask", question)  # no model is there: another answer would be an extract
    assert (answer["cached"], answer["degraded"]) == (cached, False)
    assert answer["text"] in texts


@pytest.mark.usefixtures("indexed")
def test_what_was_kept_is_listed_added_up_and_goes_when_its_page_changes():
    assert {entry["question"] for entry in entries()} == {*KEPT, PHONE}
    stats = read("cache", "stats")
    assert (stats["entries"], stats["pinned"]) == (5, 1)
    assert (stats["exact"], stats["semantic"]) == (2, 1)
    page = Path("aide/clients/creer-un-client.md")
    page.write_text(page.read_text("utf-8") + "\nLe code client est attribué.\n", "utf-8")
    assert read("index", "aide")["written"]
    assert read("ask", "Comment créer un client ?")["cached"] is None


@pytest.mark.usefixtures("folder")
def test_its_journal_is_reported():
    found = read("report", "--days", "3650")
    assert (found["counts"]["asked"], found["counts"]["unanswered"]) == (3, 1)
    assert "Il manque le format des dates." in json.dumps(found, ensure_ascii=False)


@pytest.mark.usefixtures("folder")
def test_its_conversations_go_on():
    turns = open_turn_store(load_settings()).turns(CONVERSATION, MADE_AT_S, 5.0)
    assert [turn.question for turn in turns] == [
        "Comment importer des clients ?",
        "et pour les archiver ?",
    ]
    assert turns[1].contextual == "pour archiver des clients ?"


@pytest.mark.usefixtures("indexed")
def test_everything_is_backed_up_and_restored(folder: Path, monkeypatch: pytest.MonkeyPatch):
    copied = read("backup", "everything.zip")
    assert (copied["pages"], copied["answers"], copied["records"]) == (3, 5, 4)
    monkeypatch.setenv("HELP_DATA_DIR", str(folder / "other"))
    assert read("restore", "everything.zip") == copied
    assert read("ask", PHONE)["cached"] == "exact"
    assert (folder / "other/journal.key").read_bytes() == Path("souffleur/journal.key").read_bytes()


def entries() -> list[dict]:
    return read("cache", "list")["answers"]
