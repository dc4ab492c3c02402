"""Turns of conversations, kept by this process or shared."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict

from rag.core.deadline import CircuitBreaker, Guarded
from rag.core.errors import IndexFault, QuestionRefused, SearchUnavailable
from rag.core.protocols import TurnStore
from rag.core.records import EXPIRES_S, MOST_TURNS, Turn

__all__ = ["Conversations", "SharedConversations", "Turn"]
LONGEST_ID = 200  # characters: ids come from anybody
READ_S = 0.3
WRITE_S = 1.0  # the first one makes the index; who asked has the answer already
SLOW_S = 0.075
logger = logging.getLogger(__name__)


class Conversations:
    """Keep the last turns of the last conversations in memory; safe to use from many threads.

    At most ``most`` conversations: the one that was silent longest goes first. At most ``turns``
    of each, forgotten ``expires_s`` after the last.
    """

    def __init__(
        self, most: int = 1_000, turns: int = MOST_TURNS, expires_s: float = EXPIRES_S
    ) -> None:
        self._most = most
        self._turns = turns
        self._expires_s = expires_s
        self._kept: OrderedDict[str, tuple[float, tuple[Turn, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def turns(self, conversation_id: str) -> tuple[Turn, ...]:
        """Return the turns of a conversation, oldest first. Raises: QuestionRefused for its id."""
        check_id(conversation_id)
        with self._lock:
            self._expire()
            return self._kept.get(conversation_id, (0.0, ()))[1]

    def add(self, conversation_id: str, turn: Turn) -> None:
        """Append a turn. Raises: QuestionRefused for its id."""
        check_id(conversation_id)
        with self._lock:
            self._expire()
            _, before = self._kept.pop(conversation_id, (0.0, ()))
            kept = (*before, turn)[-self._turns :]
            self._kept[conversation_id] = (time.monotonic() + self._expires_s, kept)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._kept)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)


class SharedConversations:
    """Ask a store for turns from an event loop; ``store`` None keeps them in this process alone."""

    def __init__(self, store: TurnStore | None = None, memory: Conversations | None = None) -> None:
        self._store = store
        self._memory = memory or Conversations()
        self._guarded = Guarded(
            CircuitBreaker(failures=1, slow_s=SLOW_S), (SearchUnavailable, IndexFault), _warn
        )

    async def turns(self, conversation_id: str | None) -> tuple[Turn, ...]:
        """Return the turns of a conversation, oldest first. Raises: QuestionRefused for its id."""
        if not conversation_id:
            return ()
        own = self._memory.turns(conversation_id)
        store, now = self._store, time.time()
        if store is None:
            return own
        return await self._guarded.call(
            lambda: store.turns(conversation_id, now, READ_S), own, READ_S
        )

    async def add(self, conversation_id: str | None, turn: Turn) -> None:
        """Append a turn. Raises: QuestionRefused for the id."""
        if not conversation_id:
            return
        check_id(conversation_id)
        self._memory.add(conversation_id, turn)
        store, now = self._store, time.time()
        if store is not None:
            await self._guarded.call(
                lambda: store.add(conversation_id, turn, now, WRITE_S), None, WRITE_S
            )

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()


def _warn(error: Exception, limit_s: float) -> None:
    logger.warning(
        "Conversations are kept in this process for now: %s",
        str(error) or f"the store took longer than {limit_s:g} s",
    )


def check_id(conversation_id: str) -> None:
    """Raise QuestionRefused for an id that is too long."""
    if len(conversation_id) > LONGEST_ID:
        raise QuestionRefused(
            f"The conversation's id has {len(conversation_id):,} characters; at most {LONGEST_ID}"
            " are kept. Send a shorter one, a UUID for example."
        )
