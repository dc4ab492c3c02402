"""Models asked in turn, within the one time limit of a question."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import ModelUnavailable
from rag.prompt import Draft
from rag.writing.writer import Sent, Writer

FIRST_PIECE_SHARE = 0.5  # of the time left, for each model but the last to begin
logger = logging.getLogger(__name__)
Item = Sent | str | Usage


class Chain:
    """Ask the first writer, and the next one as long as nothing has been written.

    A model that is silent for `FIRST_PIECE_SHARE` of the time left is given up for the next, so
    that the last one always has some. Once a piece is out, its model's failure is the chain's.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        if not writers:
            raise ValueError("a chain needs at least one writer")
        self._writers = tuple(writers)

    async def stream(self, draft: Draft, deadline: Deadline) -> AsyncGenerator[Item, None]:
        """Yield what is sent to the first model that begins, its pieces and its usage.

        Raises: ModelUnavailable as the last model raised it, or the one that broke off;
        DeadlineExceeded, which ends the chain wherever it stands.
        """
        following = (*self._writers[1:], None)
        for writer, fallback in zip(self._writers, following, strict=True):
            async with aclosing(writer.stream(draft, deadline)) as items:
                if fallback:
                    try:
                        begun = await _begun(items, writer.name, deadline)
                    except ModelUnavailable as error:
                        logger.warning("%s Now asked: %s.", _sentence(error), fallback.name)
                        continue
                    for item in begun:
                        yield item
                async for item in items:
                    yield item
            return

    async def warm(self) -> bool:
        """Load every model; say whether one of them answers."""
        return any(await asyncio.gather(*(writer.warm() for writer in self._writers)))

    async def close(self) -> None:
        """End what is under way in the background."""
        for writer in self._writers:
            await writer.close()


async def _begun(items: AsyncGenerator[Item, None], name: str, deadline: Deadline) -> list[Item]:
    """Return the items up to the first piece. Raises: ModelUnavailable when none comes in time."""
    limit_s = deadline.left_s() * FIRST_PIECE_SHARE
    begun: list[Item] = []
    try:
        async with asyncio.timeout(limit_s):
            async for item in items:
                begun.append(item)
                if isinstance(item, str):
                    return begun
    except TimeoutError:
        raise ModelUnavailable(f"{name} wrote nothing within {limit_s:.1f} s.", "late") from None
    raise ModelUnavailable(f"{name} ended without a word.", "silent")


def _sentence(error: ModelUnavailable) -> str:
    """Return what an error says, with a full stop: it may end in a command."""
    told = str(error).rstrip()
    return told if told.endswith((".", "!", "?")) else f"{told}."
