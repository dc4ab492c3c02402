"""The answer cache within a deadline: one generation for all who ask the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from rag.cache.answers import AnswerCache, Kept, Request
from rag.core.answers import Answer
from rag.core.deadline import CircuitBreaker, Deadline, Guarded
from rag.core.documents import Hit, PageRecord

Result = TypeVar("Result")
Refresh: TypeAlias = Callable[[Answer, float], Answer]  # within so many seconds
LOOK_UP_S = 0.3
KEEP_S = 0.1
POLL_S = 0.05
LEFT_S = 0.3  # before the deadline, waiting ends: the extract is shown


class Flight:
    """Ask an `AnswerCache` from an event loop; a slow store is passed by for a while.

    ``cache`` None keeps nothing and finds nothing.
    """

    def __init__(self, cache: AnswerCache | None) -> None:
        self._cache = cache
        self._guarded = Guarded(CircuitBreaker(slow_s=LOOK_UP_S / 2))

    async def find(self, request: Request, deadline: Deadline, refresh: Refresh) -> Kept | None:
        """Return the kept answer of a question, if there is one; it is to be counted.

        ``refresh`` brings it up to date, in the thread of the look-up.
        """
        limit_s = deadline.left_s(LOOK_UP_S)

        def look_up(cache: AnswerCache) -> Kept | None:
            kept = cache.find(request, limit_s)
            return replace(kept, answer=refresh(kept.answer, limit_s)) if kept else None

        return await self._asked(look_up, None, limit_s)

    async def count(self, kept: Kept) -> None:
        """Count a hit, after it was served."""
        await self._asked(lambda cache: cache.count(kept, KEEP_S), None, KEEP_S)

    async def join(self, request: Request, deadline: Deadline) -> Answer | None:
        """Return the answer that another one is writing; None when it is the caller's to write.

        Who is to write it calls `release` afterwards. Raises: TimeoutError when the answer does
        not come in time.
        """
        lease_s = deadline.left_s()
        while deadline.left_s() > LEFT_S:
            if await self._asked(
                lambda cache: cache.claim(request, lease_s, LOOK_UP_S), True, LOOK_UP_S
            ):
                return None
            found = await self._asked(
                lambda cache: cache.await_exact(request, LOOK_UP_S), None, LOOK_UP_S
            )
            if found is not None:
                await self.count(found)
                return found.answer
            await asyncio.sleep(POLL_S)
        raise TimeoutError

    async def keep(
        self,
        request: Request,
        answer: Answer,
        hits: tuple[Hit, ...],
        pages: Mapping[str, PageRecord],
    ) -> None:
        """Keep an answer if it is worth it."""
        await self._asked(
            lambda cache: cache.keep(request, answer, hits, pages, KEEP_S), False, KEEP_S
        )

    async def release(self, request: Request) -> None:
        """Let others write the answer of a question."""
        await self._asked(lambda cache: cache.release(request, KEEP_S), None, KEEP_S)

    async def _asked(
        self, call: Callable[[AnswerCache], Result], otherwise: Result, limit_s: float
    ) -> Result:
        cache = self._cache
        if cache is None:
            return otherwise
        return await self._guarded.call(lambda: call(cache), otherwise, limit_s)
