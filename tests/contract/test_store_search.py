"""What every store promises about searching: exact cosines, French and English words."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest

from rag.core.documents import IndexMeta
from rag.core.protocols import Store
from rag.language import analyzer
from tests.contract.conftest import (
    DIMENSION,
    META,
    TIMEOUT_S,
    asked,
    chunk,
    found_by_words,
    vector,
    write,
)


def test_cosines_are_exact(store: Store) -> None:
    draw = numpy.random.default_rng(7)
    centres = draw.standard_normal((50, 768)) + draw.standard_normal(768)
    points = centres[draw.integers(0, 50, 2_000)] + 0.8 * draw.standard_normal((2_000, 768))
    points = (points / numpy.linalg.norm(points, axis=1, keepdims=True)).astype(numpy.float32)
    chunks = [chunk(f"p{n // 100}", f"texte {n}", name=f"c{n:04}") for n in range(2_000)]
    pages = {f"p{n}": chunks[100 * n : 100 * n + 100] for n in range(20)}
    vectors = {c.id: point for c, point in zip(chunks, points, strict=True)}
    write(store, pages, vectors, meta=IndexMeta("essai-768", 768, 1))

    recalls = []
    for question in points[::40] + 0.02 * draw.standard_normal((50, 768)).astype(numpy.float32):
        unit = question / numpy.linalg.norm(question)
        cosines = points @ unit
        exact = numpy.argsort(-cosines, kind="stable")[:5]
        found = store.search(unit, {}, 5, TIMEOUT_S).knn
        recalls.append(len({f"c{n:04}" for n in exact} & {chunk_id for chunk_id, _ in found}) / 5)
        assert [cosine for _, cosine in found] == pytest.approx(cosines[exact], abs=1e-5)
    assert numpy.mean(recalls) >= 0.99


def test_ties_go_to_the_lower_id(store: Store) -> None:
    names = [f"{letter}-{n}" for n in range(4) for letter in "mzabqk"]
    pages = {f"page {n}": [chunk(f"page {n}", "même texte", name=n)] for n in names}
    best = chunk("page zzz", "même texte exactement", name="zzz")
    pages["page zzz"] = [best]
    write(store, pages, dict.fromkeys(names, vector("same")) | {"zzz": vector("other")})
    legs = store.search(vector("same"), asked("exactement", "même"), 5, TIMEOUT_S)
    assert [chunk_id for chunk_id, _ in legs.knn] == sorted(names)[:5]
    assert [chunk_id for chunk_id, _ in legs.bm25] == ["zzz", *sorted(names)[:4]]
    assert len({score for _, score in legs.bm25[1:]}) == 1


def test_a_zero_vector_is_near_nothing_and_its_chunk_is_found_by_words(store: Store) -> None:
    empty, other = chunk("p", "texte rare", 0), chunk("p", "autre", 1)
    zero = numpy.zeros(DIMENSION, numpy.float32)
    write(store, {"p": [empty, other]}, {empty.id: zero})
    assert found_by_words(store, "rare") == [empty.id]
    assert [c for c, _ in store.search(vector(1), {}, 5, TIMEOUT_S).knn] == [other.id]
    legs = store.search(zero, asked("rare"), 5, TIMEOUT_S)
    assert legs.knn == []
    assert [c for c, _ in legs.bm25] == [empty.id]
    assert legs.total == 2


def test_opposite_vectors_have_a_negative_cosine(store: Store) -> None:
    one, other = chunk("p", "un", 0), chunk("p", "deux", 1)
    write(store, {"p": [one, other]}, {one.id: vector(1), other.id: -vector(1)})
    legs = store.search(vector(1), {}, 5, TIMEOUT_S)
    assert [c for c, _ in legs.knn] == [one.id, other.id]
    assert [s for _, s in legs.knn] == pytest.approx([1.0, -1.0], abs=1e-5)


FRENCH = {
    "labels": "Imprimer les étiquettes de la cuvée",
    "today": "Les apports d’aujourd'hui",
    "heart": "Le cœur de gamme et les œuvres",
    "invoice": "La facture est réglée par virement",
    "nfd": "Cafe\u0301 moulu",
    "english": "Creating customers quickly",
    "code": "Le fichier export_2024.csv de la société O'Neill",
}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("l'étiquette", "labels"),
        ("L’ETIQUETTE", "labels"),
        ("imprimer", "labels"),
        ("qu'aujourd’hui", "today"),
        ("coeur", "heart"),
        ("oeuvre", "heart"),
        ("factures réglées", "invoice"),
        ("facturé", "invoice"),
        ("café", "nfd"),
        ("cafe\u0301s", "nfd"),
        ("customer", "english"),
        ("creates", "english"),
        ("export 2024", "code"),
        ("Neill", "code"),
    ],
)
def test_words_are_found_in_their_other_forms(french: Store, question: str, expected: str) -> None:
    words = analyzer.content_words(question, ("fr", "en"))
    legs = french.search(None, asked(*words), 5, TIMEOUT_S)
    assert [chunk_id for chunk_id, _ in legs.bm25] == [expected]
    assert legs.frequencies == [1] * len(words)


@pytest.mark.parametrize("question", ["hui", "aujourd", "labels", "\u0301", "inconnu", "🍷"])
def test_what_no_page_says_is_not_found(french: Store, question: str) -> None:
    legs = french.search(None, asked(question), 5, TIMEOUT_S)
    assert (legs.bm25, legs.frequencies, legs.total) == ([], [0], len(FRENCH))


@pytest.mark.parametrize(
    "question",
    [
        'facture" * NEAR(facture AND text:facture OR -facture) \\ ^4 {} /.*/ facture~',
        "facture " * 50,
        "facture " + " ".join(f"mot{n}" for n in range(2_000)),
    ],
    ids=["operators", "repeated", "two thousand words"],
)
def test_any_question_may_be_asked(french: Store, question: str) -> None:
    words = analyzer.content_words(question)
    legs = french.search(None, asked(*words), 5, TIMEOUT_S)
    assert [chunk_id for chunk_id, _ in legs.bm25] == ["invoice"]
    assert len(legs.frequencies) == len(words)
    assert sum(legs.frequencies) == 1


@pytest.fixture
def french(store: Store) -> Store:
    pages = {
        name: [chunk(name, text, name=name, lang="en" if name == "english" else "fr", title="x")]
        for name, text in FRENCH.items()
    }
    write(store, pages)
    return store


def test_a_title_says_more_than_a_heading_and_a_heading_more_than_the_text(store: Store) -> None:
    pages = {
        "a": [chunk("a", "remise mot", name="a-text", title="mot", headings=("mot",))],
        "b": [chunk("b", "mot mot", name="b-heading", title="mot", headings=("remise",))],
        "c": [chunk("c", "mot mot", name="c-title", title="remise", headings=("mot",))],
        "d": [chunk("d", "rien de tel", name="d")],
    }
    write(store, pages)
    assert found_by_words(store, "remises") == ["c-title", "b-heading", "a-text"]


def test_frequencies_count_windows_in_any_field_and_follow_the_words(store: Store) -> None:
    pages = {
        "a": [chunk("a", "client client client", 0), chunk("a", "la vente", 1, title="Clients")],
        "b": [chunk("b", "rien", headings=("Les clientes", "La vente"))],
        "c": [chunk("c", "vendre")],
    }
    write(store, pages)
    legs = store.search(None, asked("vente", "absent", "clients"), 5, TIMEOUT_S)
    assert legs.frequencies == [2, 0, 3]
    assert legs.total == 4
    scores = [score for _, score in legs.bm25]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0
    assert store.search(None, {}, 5, TIMEOUT_S).frequencies == []


def test_a_page_is_found_by_the_questions_that_it_answers(store: Store) -> None:
    asked = replace(chunk("a", "le texte", name="asked"), questions=("Comment dupliquer ?", "Où ?"))
    write(store, {"a": [asked], "b": [chunk("b", "le texte")]})
    assert found_by_words(store, "duplique") == ["asked"]
    assert store.chunks(["asked"], TIMEOUT_S) == {"asked": asked}


def test_a_misspelt_word_means_the_most_frequent_word_one_edit_away(store: Store) -> None:
    pages = {
        "a": [chunk("a", "créer une étiquette, un vin", title="Facture", headings=("Les lots",))],
        "b": [chunk("b", "les vins, le vin d'aujourd'hui")],
        "c": [replace(chunk("c", "la vis"), questions=("Dupliquer une étiquette ?",))],
    }
    write(store, pages)
    meant = {
        "etiquette": "etiquette",
        "etiqutte": "etiquette",
        "facutre": "facture",
        "dupliqer": "dupliquer",
        "lot": "lots",
        "vim": "vin",
        "vins": "vins",
        "aujourd'hui": "aujourd'hui",
    }
    assert store.nearest_words([*meant, "retiquette", "inconnu", "z"], TIMEOUT_S) == meant
    assert store.nearest_words([], TIMEOUT_S) == {}


def test_what_was_removed_weighs_nothing(store: Store) -> None:
    kept = {"a": [chunk("a", "client vin")], "b": [chunk("b", "client client lot")]}
    gone = {f"x{n}": [chunk(f"x{n}", f"client barrique mot{n} " * 9)] for n in range(9)}
    write(store, kept)
    expected = store.search(vector(1), asked("client", "vin"), 5, TIMEOUT_S)
    write(store, gone)
    writer = store.writer(META, full=False)
    for page in gone:
        writer.delete_page(page)
    writer.publish()
    assert store.search(vector(1), asked("client", "vin"), 5, TIMEOUT_S) == expected
    assert store.nearest_words(["barique", "clients"], TIMEOUT_S) == {"clients": "client"}


def test_k_bounds_both_searches(store: Store) -> None:
    write(store, {f"p{n}": [chunk(f"p{n}", f"texte {n}")] for n in range(8)})
    for k, found in ((1, 1), (5, 5), (8, 8), (100, 8)):
        legs = store.search(vector(1), asked("texte"), k, TIMEOUT_S)
        assert (len(legs.knn), len(legs.bm25)) == (found, found)
    assert store.meta() == META
