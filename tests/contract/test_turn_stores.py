"""What every store of conversations promises to the processes that share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from rag.config.settings import Settings
from rag.core.protocols import TurnStore
from rag.core.records import EXPIRES_S, MOST_TURNS, Turn
from rag.stores import open_turn_store
from tests.contract.conftest import TIMEOUT_S

NOW = 1_000_000.0
OpenTurns = Callable[[], TurnStore]


@pytest.fixture
def open_turns(settings: Settings) -> Iterator[OpenTurns]:
    opened: list[TurnStore] = []

    def open_one() -> TurnStore:
        opened.append(open_turn_store(settings))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def turn(number: int) -> Turn:
    return Turn(f"question {number} ?", f"client question {number}", ("a.md", "b.md"))


def test_another_process_reads_what_was_said_in_its_order(open_turns: OpenTurns) -> None:
    writer, reader = open_turns(), open_turns()
    assert reader.turns("c", NOW, TIMEOUT_S) == ()
    for number in range(3):
        writer.add("c", turn(number), NOW + number, TIMEOUT_S)
    writer.add("autre", turn(9), NOW, TIMEOUT_S)
    assert reader.turns("c", NOW + 3, TIMEOUT_S) == (turn(0), turn(1), turn(2))
    assert reader.turns("autre", NOW, TIMEOUT_S) == (turn(9),)
    assert reader.turns("absent", NOW, TIMEOUT_S) == ()


def test_only_the_last_turns_are_kept(open_turns: OpenTurns) -> None:
    store = open_turns()
    for number in range(MOST_TURNS + 3):
        store.add("c", turn(number), NOW, TIMEOUT_S)
    assert store.turns("c", NOW, TIMEOUT_S) == tuple(turn(n) for n in range(3, MOST_TURNS + 3))


def test_a_conversation_expires_after_its_last_turn(open_turns: OpenTurns) -> None:
    store = open_turns()
    store.add("c", turn(0), NOW, TIMEOUT_S)
    store.add("c", turn(1), NOW + EXPIRES_S - 1, TIMEOUT_S)
    assert len(store.turns("c", NOW + 2 * EXPIRES_S - 2, TIMEOUT_S)) >= 1
    assert store.turns("c", NOW + 2 * EXPIRES_S, TIMEOUT_S) == ()
    store.add("c", turn(2), NOW + 3 * EXPIRES_S, TIMEOUT_S)
    assert store.turns("c", NOW + 3 * EXPIRES_S, TIMEOUT_S) == (turn(2),)


def test_an_id_of_any_characters_keeps_its_own(open_turns: OpenTurns) -> None:
    store = open_turns()
    ids = ["é" * 200, "a/b?c", "'; DROP TABLE turns; --", "\ud800", "\0"]
    for number, name in enumerate(ids):
        store.add(name, turn(number), NOW, TIMEOUT_S)
    for number, name in enumerate(ids):
        assert store.turns(name, NOW, TIMEOUT_S) == (turn(number),)


def test_many_at_once_lose_nothing(open_turns: OpenTurns) -> None:
    stores = [open_turns() for _ in range(4)]

    def write(number: int) -> None:
        stores[number].add("c", turn(number), NOW, TIMEOUT_S)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(stores[0].turns("c", NOW, TIMEOUT_S)) == {turn(number) for number in range(4)}
