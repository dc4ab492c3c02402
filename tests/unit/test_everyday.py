"""What people say is searched as manuals write it, below their own words."""

import pytest

from indexer.pipeline import run
from rag.encoders import bundled_encoder
from rag.language import analyzer, profiles
from rag.question import read_question
from rag.question.everyday import LONGEST, written_for
from rag.stores.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("question", "word", "written"),
    [
        ("comment virer un client", "virer", "supprimer"),
        ("je virerai ce client", "virerai", "supprimer"),
        ("mon ordi rame", "ordi", "ordinateur"),
        ("fichier effacé par erreur", "erreur", "restaurer"),
        ("how do I get rid of a client", "rid", "delete"),
    ],
)
def test_everyday_words_are_read_as_manuals_write_them(question, word, written):
    assert written in read_question(question).written[word]


def test_a_word_of_the_same_stem_is_not_what_is_said():
    assert "supprimer" not in read_question("faire un virement").written.get("virement", ())


def test_what_the_asker_says_too_is_not_added():
    assert "supprimer" not in written_for(("supprimer", "virer"), "fr").get("virer", ())


def test_every_line_names_both_sides_and_every_phrase_can_be_found():
    for one in profiles.every():
        for line in one.lines("everyday.said"):
            said, _, written = line.partition(" = ")
            assert said and written, line
            assert all(1 <= len(analyzer.words(part)) <= LONGEST for part in said.split(", ")), line


def test_a_page_is_found_by_what_is_said_for_its_words(tmp_path, open_words):
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.md").write_text("# Supprimer une fiche\n\nCliquez sur Supprimer.\n", "utf-8")
    (pages / "b.md").write_text("# Imprimer une fiche\n\nCliquez sur Imprimer.\n", "utf-8")
    store = SqliteStore(tmp_path / "index.sqlite3")
    run([pages], store, bundled_encoder())
    hits = open_words(store).retrieve(read_question("dégager une fiche"), 2).hits
    assert hits[0].chunk.page == "a.md"


@pytest.fixture
def open_words():
    """Open a retriever that searches words alone, so that nothing else finds the page."""
    from rag.retriever import Retriever

    return lambda store: Retriever(store, None)
