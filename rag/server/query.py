"""A question in, its answer out: whole as JSON, or as it is written, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import Response, StreamingResponse

from rag.core.answers import AnswerEvent
from rag.desk import HelpDesk, Served
from rag.server.doors import admit
from rag.server.problems import problem_of
from rag.server.rendering import answer_body, event_message
from rag.server.shapes import AnswerBody, HelpQuery
from rag.server.wording import detail

SHORTEST_SHARED_ID = 16  # characters; a shorter one could be another asker's
HEARTBEAT_S = 10.0  # proxies close what is silent for half a minute
HEARTBEAT = b": still here\n\n"
STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx holds nothing back
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `sources`, `chunk`, `complete` or `error`, numbered by their id;"
        " the data is the JSON of the WebSocket's messages",
        "content": {"text/event-stream": {}},
    }
}
Result = TypeVar("Result")
logger = logging.getLogger(__name__)
router = APIRouter(tags=["help"], dependencies=[Depends(admit)])


@router.post("/api/help/query", response_model=AnswerBody, summary="Ask")
async def help_query(query: Annotated[HelpQuery, Body()], request: Request) -> Response:
    """Answer a question from the help pages. Who hangs up stops the model."""
    desk: HelpDesk = request.app.state.desk
    work = desk.answer(
        query.question,
        place=query.page,
        title=query.title,
        conversation_id=_shared(query.conversation_id),
    )
    served = await while_there(request, work)
    if served is None:
        return Response(status_code=204)  # nobody is there to read it
    body = answer_body(replace(served, conversation_id=query.conversation_id))
    return Response(orjson.dumps(body), media_type="application/json")


@router.post(
    "/api/help/stream",
    summary="Ask, and read while it is written",
    response_class=Response,
    responses=EVENTS,
)
async def help_stream(query: Annotated[HelpQuery, Body()], request: Request) -> StreamingResponse:
    """Answer a question as server-sent events. Who hangs up stops the model."""
    desk: HelpDesk = request.app.state.desk
    events = desk.stream(
        query.question,
        place=query.page,
        title=query.title,
        conversation_id=_shared(query.conversation_id),
    )
    try:
        first = await anext(events)  # what is wrong before it is a problem with its status
    except BaseException:
        await events.aclose()
        raise
    frames = _frames(first, events, query, streaming=desk.settings.streaming_enabled)
    return StreamingResponse(_kept_alive(frames), media_type="text/event-stream", headers=STREAM)


async def while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return what comes of the work; cancel it when the client hangs up, and return None."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await _ended(task)
        await _ended(gone)


def _shared(conversation_id: str | None) -> str | None:
    """Return the id under which turns are kept: none for what others may use as well."""
    if conversation_id is None or len(conversation_id) < SHORTEST_SHARED_ID:
        return None
    return conversation_id


async def _frames(
    first: AnswerEvent,
    events: AsyncGenerator[AnswerEvent, None],
    query: HelpQuery,
    *,
    streaming: bool,
) -> AsyncGenerator[bytes, None]:
    number = 0
    async with aclosing(events):
        try:
            async for event in _after(first, events):
                if streaming or isinstance(event, Served):
                    number += 1
                    yield _frame(number, event_message(event), query.conversation_id)
        except Exception as error:
            logger.exception("An answer broke off.")
            code = problem_of(error).code
            said = {"type": "error", "code": code, "message": detail(code, "fr")}
            yield _frame(number + 1, said, query.conversation_id)


async def _after(
    first: AnswerEvent, events: AsyncGenerator[AnswerEvent, None]
) -> AsyncGenerator[AnswerEvent, None]:
    yield first
    async for event in events:
        yield event


def _frame(number: int, message: dict[str, Any], conversation_id: str | None) -> bytes:
    name = str(message["type"]).removeprefix("message_")
    data = orjson.dumps({**message, "conversation_id": conversation_id, "seq": number})
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), number, data)


async def _kept_alive(frames: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """Yield frames, and a comment whenever none comes for a while."""
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(frames))
            await asyncio.wait({coming}, timeout=HEARTBEAT_S)
            if not coming.done():
                yield HEARTBEAT
                continue
            frame, coming = coming.result(), None
            if not frame:
                return
            yield frame
    finally:
        if coming is not None:
            await _ended(coming)
        await frames.aclose()


async def _next(frames: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(frames, b"")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.wait({task})
