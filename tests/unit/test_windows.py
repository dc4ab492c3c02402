"""Windows hold all that a page's chunks say, across headings, about equally long."""

from __future__ import annotations

import pytest

from indexer.windows import windows_of
from rag.core.documents import Chunk


def chunk(position: int, text: str, *headings: str, questions: tuple[str, ...] = ()) -> Chunk:
    return Chunk(f"c{position}", "p", position, "Page", headings, "/p", "fr", text, questions)


def test_neighbours_are_joined_across_headings_each_heading_said_once() -> None:
    chunks = [
        chunk(0, "Introduction."),
        chunk(1, "Ouvrez la fiche.", "Créer", "Étapes", questions=("Comment créer ?",)),
        chunk(2, "Cliquez.", "Créer", "Étapes"),
        chunk(3, "Attention.", "Créer", "Pièges"),
    ]
    (window,) = windows_of(chunks)
    lines = ["Introduction.", "Créer", "Étapes", "Ouvrez la fiche.", "Cliquez.", "Pièges"]
    assert window.text.split("\n") == [*lines, "Attention."]
    assert window.headings == ("Créer", "Étapes", "Pièges")
    assert window.questions == ("Comment créer ?",)
    assert window.searched.startswith("Page\nComment créer ?\nIntroduction.")
    assert window.chunk_ids == ("c0", "c1", "c2", "c3")


@pytest.mark.parametrize("count", [1, 2, 5, 9, 20])
def test_every_chunk_is_in_one_window_and_none_is_a_scrap(count: int) -> None:
    chunks = [chunk(n, "mot " * 25) for n in range(count)]
    windows = windows_of(chunks, limit=450)
    assert [i for window in windows for i in window.chunk_ids] == [c.id for c in chunks]
    lengths = [len(window.chunk_ids) for window in windows]
    assert max(lengths) <= 4
    assert max(lengths) - min(lengths) <= 1


def test_a_chunk_longer_than_the_limit_stands_alone() -> None:
    long = chunk(1, "mot " * 300)
    windows = windows_of([chunk(0, "court"), long, chunk(2, "court aussi")], limit=400)
    assert [window.chunk_ids for window in windows] == [("c0",), ("c1",), ("c2",)]
    assert windows_of([]) == []


def test_an_id_follows_from_the_chunks_and_not_from_their_place() -> None:
    (one,) = windows_of([chunk(0, "a"), chunk(1, "b")])
    (same,) = windows_of([chunk(0, "a"), chunk(1, "b")])
    (other,) = windows_of([chunk(1, "b"), chunk(0, "a")])
    assert one.id == same.id != other.id
