"""A draft to the events of its answer: the model's text, checked; once for all who ask the same."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from rag.answers import extract_answer
from rag.cache import Flight, Request
from rag.core.answers import Answer, AnswerEvent, ChunkEvent, CompleteEvent, Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.prompt import Draft
from rag.writing.transcript import Transcript
from rag.writing.writer import Sent

logger = logging.getLogger(__name__)


class Writing(Protocol):
    """Write answers: a `Writer`, which is one model with its guards, or a `Chain` of them."""

    def stream(self, draft: Draft, deadline: Deadline) -> AsyncGenerator[Sent | str | Usage, None]:
        """Yield what is sent, the model's pieces, its usage."""

    async def warm(self) -> bool:
        """Load the model; say whether it answers."""

    async def close(self) -> None:
        """End what is under way in the background."""


async def write_once(
    writer: Writing, flight: Flight, request: Request, draft: Draft, transcript: Transcript
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield the answer; of those who ask the same at once, one has it written for all."""
    try:
        shared = await flight.join(request, transcript.context.deadline)
    except TimeoutError:
        late = transcript.context.deadline.reason
        reason = "busy" if late == "late" else late
        yield CompleteEvent(extract_answer(transcript.context, reason))
        return
    if shared is not None:
        for event in replayed(shared):
            yield event
        return
    try:
        async with aclosing(_write(writer, draft, transcript)) as events:
            async for event in events:
                if isinstance(event, CompleteEvent):
                    pages = transcript.context.pages
                    await flight.keep(request, event.answer, transcript.passages, pages)
                yield event
    finally:
        await flight.release(request)


def replayed(answer: Answer) -> list[AnswerEvent]:
    """Return the events of an answer that is there already, its sources left out."""
    return [ChunkEvent(answer.text), CompleteEvent(answer)]


async def _write(
    writer: Writing, draft: Draft, transcript: Transcript
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield the model's text, sentence by sentence as far as the passages support it."""
    try:
        async with aclosing(writer.stream(draft, transcript.context.deadline)) as items:
            async for item in items:
                shown = transcript.take(item)
                if shown:
                    yield ChunkEvent(shown)
                if transcript.wrong_language:
                    break
    except ModelUnavailable as error:
        logger.warning("%s", error)
        transcript.reason = error.reason
    except DeadlineExceeded:
        transcript.reason = transcript.context.deadline.reason
    shown = transcript.close()
    if shown:
        yield ChunkEvent(shown)
    yield CompleteEvent(transcript.answer())
