"""Retriever and store within a question's deadline: what does not come in time is done without."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rag.core.deadline import CircuitBreaker, Deadline, bounded, give_up, started
from rag.core.documents import Chunk, Hit, PageRecord
from rag.core.errors import HelpError, IndexFault, SearchUnavailable
from rag.core.protocols import Store
from rag.question import Question, read_question
from rag.retriever import Retrieval, Retriever

WARM_S = 30.0
SHARE = 0.3  # of the time left, at most, goes to a search, and again to reading the pages found
LATE = "The search did not answer in time."
SHORTEST_S = 0.3  # of a HELP_TIMEOUT of a second; a process that has just started may need as much
RAISE = " A process that has just started needs more: raise HELP_TIMEOUT."
RESTING = "The search did not answer in time before: it is left alone for a few seconds."
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what a search found, the pages of its hits and those they link, and the best hit's page.

    ``chunks`` are that page's, in order. Nothing was read where the store did not answer.
    """

    retrieval: Retrieval
    pages: dict[str, PageRecord]
    chunks: list[Chunk]


class Search:
    """Ask the retriever and the store from an event loop."""

    def __init__(self, store: Store, retriever: Retriever) -> None:
        self._store = store
        self._retriever = retriever
        self._breaker = CircuitBreaker()

    async def warm(self) -> None:
        """Search once, so that the first asker does not wait for what is read once."""
        with suppress(HelpError, TimeoutError):
            await bounded(
                lambda: self._retriever.retrieve(read_question("client"), 5, timeout_s=WARM_S),
                WARM_S,
            )

    async def find(
        self,
        question: Question,
        page: str | None,
        k: int,
        deadline: Deadline,
        answers: Callable[[Retrieval], bool],
    ) -> Found:
        """Search, and read the pages found where ``answers`` says that they are worth it.

        Raises: SearchUnavailable; IndexMissing, IndexMismatch.
        """
        if not self._breaker.allows():
            raise SearchUnavailable(RESTING)
        limit_s = deadline.left_s() * SHARE
        clock = Deadline(limit_s)
        searched: list[tuple[Retrieval, Deadline]] = []

        def work() -> Found:  # both in one thread: every way to one and back costs 0.1 ms
            found = self._retriever.retrieve(question, k, page=page, timeout_s=limit_s)
            reading = Deadline(deadline.left_s() * SHARE)
            searched.append((found, reading))
            return self._read(found, reading) if answers(found) else Found(found, {}, [])

        call = started(work)
        try:
            found = await _awaited(call, limit_s, searched)
        except (SearchUnavailable, TimeoutError) as error:
            self._breaker.failed(clock.spent_s())
            cure = RAISE if limit_s < SHORTEST_S else ""
            raise SearchUnavailable(f"{str(error) or LATE}{cure}") from error
        finally:
            call.cancel()
        self._breaker.succeeded()
        return found

    def existing(self, pages: Sequence[str], timeout_s: float) -> set[str]:
        """Return those of the pages that are in the index; all of them when it does not answer.

        It blocks, unlike the others.
        """
        try:
            return set(self._store.pages(pages, timeout_s))
        except (SearchUnavailable, IndexFault):
            return set(pages)

    def _read(self, retrieval: Retrieval, deadline: Deadline) -> Found:
        try:
            return Found(retrieval, *self._pages(retrieval.hits, deadline))
        except (SearchUnavailable, IndexFault, TimeoutError) as error:
            logger.warning("%s", str(error) or LATE)
            return Found(retrieval, {}, [])

    def _pages(
        self, hits: Sequence[Hit], deadline: Deadline
    ) -> tuple[dict[str, PageRecord], list[Chunk]]:
        ids = list(dict.fromkeys(hit.chunk.page for hit in hits))
        pages = self._store.pages(ids, deadline.left_s())
        linked = {page for record in pages.values() for page in record.see_also} - pages.keys()
        if linked:
            pages |= self._store.pages(sorted(linked), deadline.left_s())
        best = pages.get(hits[0].chunk.page)
        listed = best.chunk_ids if best else ()
        chunks = self._store.chunks(listed, deadline.left_s())
        return pages, [chunks[i] for i in listed if i in chunks]


async def _awaited(
    call: asyncio.Future[Found], limit_s: float, searched: Sequence[tuple[Retrieval, Deadline]]
) -> Found:
    """Return what comes in time: all of it, or what was searched. Raises: TimeoutError…"""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def look() -> None:  # a timer alone: a timeout and a shield around it take 0.03 ms more
        nonlocal timer
        if searched and (left_s := searched[0][1].left_s()):
            timer = loop.call_later(left_s, look)
        else:
            give_up(call)

    timer = loop.call_later(limit_s, look)
    try:
        return await call
    except TimeoutError:
        if not searched:
            raise TimeoutError from None
        logger.warning(LATE)
        return Found(searched[0][0], {}, [])
    finally:
        timer.cancel()
