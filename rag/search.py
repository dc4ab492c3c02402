"""Retriever and store within a question's deadline: what does not come in time is done without."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from rag.breaker import CircuitBreaker
from rag.deadline import Deadline, bounded
from rag.errors import HelpError, IndexFault, SearchUnavailable
from rag.retriever import Retrieval, Retriever
from rag.types import Chunk, Hit, PageRecord, Store

WARM_S = 30.0
SHARE = 0.3  # of the time left, at most, goes to a search, and again to reading the pages found
LATE = "The search did not answer in time."
SHORTEST_S = 0.3  # of a HELP_TIMEOUT of a second; a process that has just started may need as much
RAISE = " A process that has just started needs more: raise HELP_TIMEOUT."
RESTING = "The search did not answer in time before: it is left alone for a few seconds."
logger = logging.getLogger(__name__)


class Search:
    """Ask the retriever and the store from an event loop."""

    def __init__(self, store: Store, retriever: Retriever) -> None:
        self._store = store
        self._retriever = retriever
        self._breaker = CircuitBreaker()

    async def warm(self) -> None:
        """Search once, so that the first asker does not wait for what is read once."""
        with suppress(HelpError, TimeoutError):
            await bounded(lambda: self._retriever.retrieve("client", 5, timeout_s=WARM_S), WARM_S)

    async def retrieve(
        self, question: str, page: str | None, k: int, deadline: Deadline
    ) -> Retrieval:
        """Search. Raises: SearchUnavailable; IndexMissing, IndexMismatch."""
        if not self._breaker.allows():
            raise SearchUnavailable(RESTING)
        limit_s = deadline.left_s() * SHARE
        clock = Deadline(limit_s)
        try:
            found = await bounded(
                lambda: self._retriever.retrieve(question, k, page=page, timeout_s=limit_s),
                limit_s,
            )
        except (SearchUnavailable, TimeoutError) as error:
            self._breaker.failed(clock.spent_s())
            cure = RAISE if limit_s < SHORTEST_S else ""
            raise SearchUnavailable(f"{str(error) or LATE}{cure}") from error
        self._breaker.succeeded()
        return found

    async def read(
        self, hits: Sequence[Hit], deadline: Deadline
    ) -> tuple[dict[str, PageRecord], list[Chunk]]:
        """Return the hits' pages and those they link, and the best hit's page's chunks in order.

        Nothing when the store does not answer.
        """
        limit_s = deadline.left_s() * SHARE
        try:
            return await bounded(lambda: self._read(hits, limit_s), limit_s)
        except (SearchUnavailable, IndexFault, TimeoutError) as error:
            logger.warning("%s", str(error) or LATE)
            return {}, []

    def existing(self, pages: Sequence[str], timeout_s: float) -> set[str]:
        """Return those of the pages that are in the index; all of them when it does not answer.

        It blocks, unlike the others.
        """
        try:
            return set(self._store.pages(pages, timeout_s))
        except (SearchUnavailable, IndexFault):
            return set(pages)

    def _read(
        self, hits: Sequence[Hit], limit_s: float
    ) -> tuple[dict[str, PageRecord], list[Chunk]]:
        deadline = Deadline(limit_s)
        ids = list(dict.fromkeys(hit.chunk.page for hit in hits))
        pages = self._store.pages(ids, deadline.left_s())
        linked = {page for record in pages.values() for page in record.see_also} - pages.keys()
        if linked:
            pages |= self._store.pages(sorted(linked), deadline.left_s())
        best = pages.get(hits[0].chunk.page)
        listed = best.chunk_ids if best else ()
        chunks = self._store.chunks(listed, deadline.left_s())
        return pages, [chunks[i] for i in listed if i in chunks]
