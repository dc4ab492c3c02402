"""The public functions, as another program calls them."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

import rag
import rag.retriever as retriever_module
from indexer.pipeline import run
from rag.api import cosine_similarity, get_similar_chunks, open_retriever
from rag.config.settings import Settings, load_settings
from rag.core.documents import IndexMeta
from rag.core.errors import ConfigError, IndexMismatch, IndexMissing
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.stores import open_store
from rag.stores.sqlite import SqliteStore
from tests.pages import CountingEncoder, write_pages

TEXTS = ["Imprimer une étiquette", "Créer un client", "Faire l'inventaire", "Créer un client"]


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """Small pages indexed where the settings say."""
    pages = write_pages(tmp_path / "pages")
    run([pages], open_store(load_settings()), bundled_encoder())
    return pages


def test_texts_are_ranked_best_first_and_ties_go_to_the_earlier() -> None:
    hits = rag.get_similar_chunks("nouveau client", TEXTS, k=3)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert [hit.chunk.id for hit in hits[:2]] == ["1", "3"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].chunk.text == TEXTS[1]


def test_fewer_texts_than_k_are_all_ranked() -> None:
    assert len(rag.get_similar_chunks("client", TEXTS[:2], k=9)) == 2
    assert rag.get_similar_chunks("client", []) == []


@pytest.mark.usefixtures("indexed")
def test_without_texts_the_index_is_searched() -> None:
    hits = rag.get_similar_chunks("Comment créer un client ?", k=2)
    assert hits[0].chunk.page == "clients/creer.md"
    assert len(hits) == 2


def test_a_search_before_any_index_says_how_to_make_one() -> None:
    with pytest.raises(IndexMissing, match=r"python cli\.py index"):
        rag.get_similar_chunks("client")


def test_a_page_indexed_later_is_found_by_the_same_process(indexed: Path) -> None:
    rag.get_similar_chunks("tonnelier")
    write_pages(indexed, {"cave/tonneau.md": "# Tonnelier\n\nLe tonnelier répare les fûts.\n"})
    run([indexed], open_store(load_settings()), bundled_encoder())
    assert rag.get_similar_chunks("tonnelier", k=1)[0].chunk.page == "cave/tonneau.md"


def test_an_index_of_another_encoder_is_refused_with_both_names(tmp_path: Path) -> None:
    pages = write_pages(tmp_path / "pages")
    run([pages], open_store(load_settings()), CountingEncoder(name="autre@1"))
    with pytest.raises(IndexMismatch, match=r"autre@1.*souffleur-static.*index --full"):
        rag.get_similar_chunks("client")


def test_an_embedding_is_a_unit_vector_of_768_numbers() -> None:
    vector = rag.generate_embedding("Comment créer un client ?")
    assert vector.shape == (768,)
    assert vector.dtype == numpy.float32
    assert numpy.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert not rag.generate_embedding("").any()


def test_another_dimension_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_EMBEDDING_DIMENSION", "1536")
    with pytest.raises(ConfigError, match=r"768.*1536"):
        rag.generate_embedding("client")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 0], [2, 0], 1.0),
        ([1, 0], [0, 3], 0.0),
        ([1, 0], [-5, 0], -1.0),
        ([1, 1], [1, 0], 0.7071067811865475),
        ([0, 0], [1, 0], 0.0),
        ([1e-200, 0], [1e-200, 0], 1.0),
        ([1e200, 0], [1e200, 0], 1.0),
    ],
)
def test_cosine_similarity(a: list[float], b: list[float], expected: float) -> None:
    assert rag.cosine_similarity(a, b) == pytest.approx(expected)


def test_cosine_of_float32_never_leaves_its_range() -> None:
    vector = rag.generate_embedding("client")
    assert (
        -1.0
        <= rag.cosine_similarity(vector, -vector)
        <= rag.cosine_similarity(vector, vector)
        <= 1.0
    )


@pytest.mark.parametrize(("a", "b"), [([1], [1, 2]), ([[1, 2]], [[1, 2]]), (1.0, 1.0)])
def test_vectors_of_different_shapes_are_refused(a: object, b: object) -> None:
    with pytest.raises(ValueError, match="one length"):
        rag.cosine_similarity(a, b)


def test_every_public_name_is_there() -> None:
    for name in rag.__all__:
        assert getattr(rag, name) is not None
    with pytest.raises(AttributeError, match="absent"):
        _ = rag.absent


def test_an_index_rebuilt_with_another_encoder_is_noticed_by_a_running_process(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(retriever_module, "RECHECK_S", 0.0)
    store = SqliteStore(tmp_path / "index.sqlite3")
    folder = write_pages(tmp_path / "pages", {"a.md": "# Créer un client\n\nOuvrez Clients."})
    run([folder], store, bundled_encoder())
    retriever = open_retriever(Settings(), store)
    assert retriever.retrieve(read_question("client")).hits
    other = store.writer(IndexMeta("another", 768, 1), full=True)
    other.publish()
    with pytest.raises(IndexMismatch, match="another"):
        retriever.retrieve(read_question("client"))


def test_words_alone_are_mended_too(tmp_path):
    store = SqliteStore(tmp_path / "index.sqlite3")
    folder = write_pages(tmp_path / "pages", {"a.md": "# Soutirage\n\nOuvrez Cave."})
    run([folder], store, bundled_encoder())
    alone = open_retriever(Settings(AI_ENABLE_EMBEDDINGS=False), store)
    found = alone.retrieve(read_question("soutirrage"))
    assert found.hits[0].legs.keys() == {"bm25"}


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(k):
    with pytest.raises(ValueError, match="k must be"):
        get_similar_chunks("client", ["client"], k=k)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_cosine_of_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="NaN or infinity"):
        cosine_similarity([wrong, 0.0], [1.0, 0.0])
