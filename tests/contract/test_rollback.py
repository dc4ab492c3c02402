"""What every store promises about the generation before: brought back at once, and kept."""

from __future__ import annotations

import pytest

from rag.core.documents import IndexMeta
from rag.core.errors import HelpError, IndexBusy
from rag.core.protocols import Store
from tests.contract.conftest import (
    META,
    TIMEOUT_S,
    OpenStore,
    asked,
    chunk,
    found_by_words,
    vector,
    write,
)

OTHER = IndexMeta("autre-8", 8, 1)


def pages_of(store: Store) -> set[str]:
    return set(store.records())


def test_a_rollback_needs_a_second_run(store: Store) -> None:
    with pytest.raises(HelpError, match="No earlier generation"):
        store.rollback()
    write(store, {"a": [chunk("a", "alpha")]})
    with pytest.raises(HelpError, match="No earlier generation"):
        store.rollback()
    assert pages_of(store) == {"a"}


def test_a_rollback_brings_back_what_was_before_the_last_run(
    store: Store, open_another: OpenStore
) -> None:
    reader = open_another()
    first = chunk("a", "alpha")
    write(store, {"a": [first]})
    write(store, {"b": [chunk("b", "beta")]})
    write(store, {"c": [chunk("c", "gamma")]})
    assert pages_of(reader) == {"a", "b", "c"}
    assert reader.search(vector(first.id), asked("gamma"), 5, TIMEOUT_S).total == 3
    store.rollback()
    assert pages_of(reader) == {"a", "b"}
    assert found_by_words(reader, "beta") == [chunk("b", "beta").id]
    assert found_by_words(reader, "gamma") == []
    legs = reader.search(vector(first.id), asked("alpha"), 5, TIMEOUT_S)
    assert (legs.knn[0][0], legs.total) == (first.id, 2)
    assert reader.nearest_words(["betta"], TIMEOUT_S) == {"betta": "beta"}


def test_a_second_rollback_undoes_the_first(store: Store) -> None:
    write(store, {"a": [chunk("a", "alpha")]})
    write(store, {"b": [chunk("b", "beta")]})
    store.rollback()
    assert pages_of(store) == {"a"}
    store.rollback()
    assert pages_of(store) == {"a", "b"}


def test_a_full_run_with_another_encoder_can_be_taken_back(store: Store) -> None:
    kept = chunk("a", "alpha")
    write(store, {"a": [kept]})
    write(store, {"b": [chunk("b", "beta")]}, full=True, meta=OTHER)
    assert store.meta() == OTHER
    store.rollback()
    assert store.meta() == META
    assert store.search(vector(kept.id), {}, 5, TIMEOUT_S).knn[0][0] == kept.id


def test_runs_go_on_after_a_rollback(store: Store) -> None:
    for page, word in zip("abc", ("alpha", "beta", "gamma"), strict=True):
        write(store, {page: [chunk(page, word)]})
    store.rollback()
    write(store, {"d": [chunk("d", "delta")]})
    assert pages_of(store) == {"a", "b", "d"}
    store.rollback()
    assert pages_of(store) == {"a", "b"}


def test_nothing_is_rolled_back_under_a_run(store: Store, open_another: OpenStore) -> None:
    write(store, {"a": [chunk("a", "alpha")]})
    write(store, {"b": [chunk("b", "beta")]})
    writer = store.writer(META, full=False)
    with pytest.raises(IndexBusy):
        open_another().rollback()
    writer.abort()
    assert pages_of(store) == {"a", "b"}


def test_vectors_are_read_back(store: Store) -> None:
    held, zero = chunk("a", "alpha"), chunk("a", "rien", 1)
    write(store, {"a": [held, zero]}, {zero.id: vector(1) * 0})
    found = store.vectors([held.id, zero.id, "absent"], TIMEOUT_S)
    assert set(found) == {held.id}
    assert found[held.id] @ vector(held.id) == pytest.approx(1, abs=1e-5)
