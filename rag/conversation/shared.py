"""Conversations that several processes share; while their store is away, memory stands in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from rag.breaker import CircuitBreaker
from rag.conversation import Conversations, check_id
from rag.conversation.turns import Turn, TurnStore
from rag.deadline import Deadline, bounded
from rag.errors import IndexFault, SearchUnavailable

READ_S = 0.3
WRITE_S = 1.0  # the first one makes the index; who asked has the answer already
SLOW_S = 0.075
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class SharedConversations:
    """Ask a store for turns from an event loop; ``store`` None keeps them in this process alone."""

    def __init__(self, store: TurnStore | None = None, memory: Conversations | None = None) -> None:
        self._store = store
        self._memory = memory or Conversations()
        self._breaker = CircuitBreaker(failures=1, slow_s=SLOW_S)

    async def turns(self, conversation_id: str | None) -> tuple[Turn, ...]:
        """Return the turns of a conversation, oldest first. Raises: QuestionRefused for its id."""
        if not conversation_id:
            return ()
        own = self._memory.turns(conversation_id)
        store, now = self._store, time.time()
        if store is None:
            return own
        return await self._asked(lambda: store.turns(conversation_id, now, READ_S), own, READ_S)

    async def add(self, conversation_id: str | None, turn: Turn) -> None:
        """Append a turn. Raises: QuestionRefused for the id."""
        if not conversation_id:
            return
        check_id(conversation_id)
        self._memory.add(conversation_id, turn)
        store, now = self._store, time.time()
        if store is not None:
            await self._asked(lambda: store.add(conversation_id, turn, now, WRITE_S), None, WRITE_S)

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()

    async def _asked(self, ask: Callable[[], Result], otherwise: Result, limit_s: float) -> Result:
        if not self._breaker.allows():
            return otherwise
        clock = Deadline(limit_s)
        try:
            result = await bounded(ask, limit_s)
        except (SearchUnavailable, IndexFault, TimeoutError) as error:
            self._breaker.failed(clock.spent_s())
            logger.warning(
                "Conversations are kept in this process for now: %s",
                str(error) or f"the store took longer than {limit_s:g} s",
            )
            return otherwise
        self._breaker.succeeded()
        return result
