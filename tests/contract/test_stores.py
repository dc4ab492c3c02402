"""What every store promises about writing: all of a run is seen, or nothing of it."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest

from rag.core.documents import ScreenLink
from rag.core.errors import HelpError, IndexMismatch, IndexMissing
from rag.core.protocols import Store
from tests.contract.conftest import (
    DIMENSION,
    META,
    TIMEOUT_S,
    OpenStore,
    asked,
    chunk,
    found_by_words,
    put,
    record,
    vector,
    write,
)


def test_nothing_is_found_before_the_first_run(store: Store) -> None:
    assert store.meta() is None
    assert store.records() == {}
    assert store.count() == 0
    with pytest.raises(IndexMissing, match=r"cli\.py index"):
        store.search(vector(1), asked("client"), 5, TIMEOUT_S)
    with pytest.raises(IndexMissing):
        store.chunks(["a"], TIMEOUT_S)
    with pytest.raises(IndexMissing):
        store.pages(["a"], TIMEOUT_S)


def test_a_reader_sees_a_run_when_it_is_published_and_not_before(
    store: Store, open_another: OpenStore
) -> None:
    reader = open_another()
    chunks = [chunk("p", "Créer un client", 0), chunk("p", "Supprimer un client", 1)]
    page = record(
        "p",
        chunks,
        see_also=("q", "r"),
        actions=(ScreenLink("Ouvrir", "/clients/nouveau"),),
        questions=("Comment créer un client ?",),
    )
    writer = store.writer(META, full=False)
    put(writer, page, chunks, {c.id: vector(c.id) for c in chunks})
    assert reader.meta() is None
    assert reader.records() == {}

    writer.publish()
    assert reader.meta() == META
    assert reader.count() == 2
    assert reader.records() == {"p": page}
    assert reader.pages(["p", "absent"], TIMEOUT_S) == {"p": page}
    assert reader.chunks([c.id for c in chunks] + ["absent"], TIMEOUT_S) == {
        c.id: c for c in chunks
    }
    assert reader.chunks([], TIMEOUT_S) == {}

    writer = store.writer(META, full=False)
    added = chunk("q", "Fusionner des clients")
    put(writer, record("q", [added]), [added], {added.id: vector(added.id)})
    writer.delete_page("p")
    assert set(reader.records()) == {"p"}
    assert reader.search(vector(added.id), asked("fusionner"), 5, TIMEOUT_S).bm25 == []
    writer.publish()
    assert set(reader.records()) == {"q"}
    assert reader.search(vector(added.id), asked("client"), 5, TIMEOUT_S).total == 1


def test_an_aborted_run_leaves_the_index_as_it_was(store: Store) -> None:
    writer = store.writer(META, full=False)
    put(writer, record("p", []), [], {})
    writer.abort()
    assert store.meta() is None

    write(store, {"p": [chunk("p", "ancien texte")]})
    before = store.records()
    for full in (False, True):
        writer = store.writer(META, full=full)
        new = chunk("p", "nouveau texte")
        put(writer, record("p", [new]), [new], {new.id: vector(1)})
        writer.abort()
        assert store.records() == before
        assert found_by_words(store, "nouveau") == []
    write(store, {"q": [chunk("q", "nouveau")]})
    assert set(store.records()) == {"p", "q"}


def test_a_changed_page_keeps_the_chunks_that_it_does_not_rewrite(store: Store) -> None:
    a, b, c = (chunk("p", f"texte {word}", n) for n, word in enumerate(("alpha", "beta", "gamma")))
    other = chunk("q", "texte delta")
    write(store, {"p": [a, b, c], "q": [other]})

    new = chunk("p", "texte epsilon", 0)
    moved = replace(a, position=1)
    last = replace(c, position=2)
    writer = store.writer(META, full=False)
    put(writer, record("p", [new, moved, last]), [new, moved, last], {new.id: vector("new")})
    writer.publish()

    assert store.count() == 4
    assert store.records()["p"].chunk_ids == (new.id, a.id, c.id)
    found = store.chunks([new.id, a.id, b.id, c.id, other.id], TIMEOUT_S)
    assert found == {new.id: new, a.id: moved, c.id: last, other.id: other}
    for kept in (a, c):
        (best, cosine), *_ = store.search(vector(kept.id), {}, 1, TIMEOUT_S).knn
        assert best == kept.id
        assert cosine == pytest.approx(1.0, abs=1e-5)
    assert found_by_words(store, "beta") == []
    assert found_by_words(store, "gamma") == [c.id]
    assert store.search(None, asked("texte", "beta"), 5, TIMEOUT_S).frequencies == [4, 0]


def test_deleting_a_page_that_is_not_there_changes_nothing(store: Store) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    before = store.records()
    writer = store.writer(META, full=False)
    writer.delete_page("absent")
    writer.publish()
    assert store.records() == before
    assert store.count() == 1


def test_a_run_without_changes_leaves_everything(store: Store) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    before = store.records()
    store.writer(META, full=False).publish()
    assert store.records() == before
    assert found_by_words(store, "texte") == list(before["p"].chunk_ids)


def test_a_full_run_replaces_the_whole_index(store: Store) -> None:
    write(store, {"p": [chunk("p", "texte")], "q": [chunk("q", "texte")]})
    write(store, {"r": [chunk("r", "texte")]}, full=True)
    assert set(store.records()) == {"r"}
    assert store.count() == 1
    write(store, {}, full=True)
    assert store.records() == {}
    assert store.count() == 0
    assert store.search(vector(1), asked("texte"), 5, TIMEOUT_S).bm25 == []


@pytest.mark.parametrize(
    "other", [replace(META, encoder="autre"), replace(META, dimension=8), replace(META, schema=2)]
)
def test_another_encoder_dimension_or_schema_is_refused_until_a_full_run(
    store: Store, other: object
) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    with pytest.raises(IndexMismatch) as refused:
        store.writer(other, full=False)
    message = str(refused.value)
    assert META.encoder in message
    assert other.encoder in message
    assert "python cli.py index --full" in message
    assert store.meta() == META

    write(store, {"p": [chunk("p", "texte")]}, full=True, meta=other)
    assert store.meta() == other


def test_a_page_whose_chunks_are_not_all_there_is_not_published(store: Store) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    before = store.records()
    kept, lost = chunk("q", "un"), chunk("q", "deux")
    writer = store.writer(META, full=False)
    with pytest.raises(HelpError):
        put(writer, record("q", [kept, lost]), [kept], {kept.id: vector(1)})
        writer.publish()
    writer.abort()
    assert store.records() == before
    write(store, {"q": [chunk("q", "texte")]})
    assert set(store.records()) == {"p", "q"}


def test_more_pages_than_one_answer_holds(store: Store) -> None:
    pages = [f"page-{n}" for n in range(10_050)]
    writer = store.writer(META, full=True)
    for page in pages:
        put(writer, record(page, []), [], {})
    writer.publish()
    assert sorted(store.records()) == sorted(pages)


def test_text_and_names_come_back_byte_for_byte(store: Store) -> None:
    pages = {
        "cave/étiqueter une cuvée.md": "Cliquez sur « Étiquettes » 🍷👩🏽‍🌾\u200f\u200b\t fin",
        "deux\nlignes \\ \"guillemets\" 'apostrophes'.md": "e\u0301 NFD, é NFC, \ufeff, \U0010ffff",
        "x" * 991 + "/é\u0301 — œ": '<script>alert(1)</script> {"a": [1]} %s \x01\x1f',
        "mot long": "é" * 20_000,
    }
    chunks = {
        page: [chunk(page, text, headings=("Titre « é »", text[:50]), title=page)]
        for page, text in pages.items()
    }
    write(store, chunks)
    assert set(store.records()) == set(pages)
    assert set(store.pages(list(pages), TIMEOUT_S)) == set(pages)
    expected = {c.id: c for page in chunks.values() for c in page}
    assert store.chunks(list(expected), TIMEOUT_S) == expected


def test_a_page_in_another_language_and_at_another_address_is_updated(store: Store) -> None:
    old = chunk("p", "running clients", lang="fr")
    write(store, {"p": [old]})
    new = replace(old, lang="en", position=3)
    writer = store.writer(META, full=False)
    put(writer, record("p", [new]), [new], {new.id: numpy.ones(DIMENSION, numpy.float32)})
    writer.publish()
    assert store.chunks([old.id], TIMEOUT_S) == {old.id: new}
    assert found_by_words(store, "run") == [old.id]
