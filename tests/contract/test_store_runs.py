"""What every store promises when runs and readers meet, and when a run is killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import pytest

from rag.config.settings import Settings
from rag.core.documents import Chunk
from rag.core.errors import IndexBusy
from rag.core.protocols import Store
from rag.stores import open_store
from tests.contract.conftest import (
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


def test_readers_see_one_generation_at_a_time_during_rebuilds(
    store: Store, open_another: OpenStore
) -> None:
    def generation(number: int) -> dict[str, list[Chunk]]:
        return {
            f"p{n}": [chunk(f"p{n}", f"commun g{number}", name=f"g{number}-{n:02}")]
            for n in range(30)
        }

    write(store, generation(0))
    reader, ended, seen, faults = open_another(), threading.Event(), set(), []

    def read() -> None:
        while not ended.is_set():
            legs = reader.search(None, asked("commun"), 50, TIMEOUT_S)
            generations = {chunk_id.partition("-")[0] for chunk_id, _ in legs.bm25}
            seen.update(generations)
            if len(legs.bm25) != 30 or len(generations) != 1:
                faults.append(legs)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in (1, 2, 3):
            write(store, generation(number), full=number != 2)
    finally:
        ended.set()
        thread.join()
    assert faults == []
    assert "g3" in seen or found_by_words(reader, "g3")
    assert len(seen) > 1


def test_a_second_writer_is_refused_until_the_first_ends(
    store: Store, open_another: OpenStore
) -> None:
    first = store.writer(META, full=False)
    with pytest.raises(IndexBusy, match="Another run is writing"):
        open_another().writer(META, full=True)
    first.abort()
    write(open_another(), {"p": [chunk("p", "texte")]})
    assert store.count() == 1


def die_while_writing(settings: Settings, full: bool) -> None:
    writer = open_store(settings).writer(META, full=full)
    for page in ("p", "q"):
        new = chunk(page, "nouveau texte")
        put(writer, record(page, [new]), [new], {new.id: vector(1)})
    writer.delete_page("p")
    os._exit(9)


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_a_killed_run_leaves_the_index_and_the_next_one_completes(
    store: Store, settings: Settings, full: bool
) -> None:
    write(store, {"p": [chunk("p", "ancien texte")]})
    before = store.records()
    child = multiprocessing.get_context("forkserver").Process(
        target=die_while_writing, args=(settings, full)
    )
    child.start()
    child.join()
    assert child.exitcode == 9
    assert store.records() == before
    assert found_by_words(store, "texte") == list(before["p"].chunk_ids)

    started = time.monotonic()
    write(store, {"q": [chunk("q", "nouveau texte")]}, full=full)
    assert time.monotonic() - started < 10
    assert set(store.records()) == ({"q"} if full else {"p", "q"})
