"""A question in, its answer out: whole as JSON, or as it is written, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import fields, replace
from typing import Annotated, Any, Literal, TypeVar

import orjson
from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from rag.core.answers import AnswerEvent, ChunkEvent, CompleteEvent, Confidence, SourcesEvent
from rag.desk import HelpDesk, Served
from rag.language.messages import code_of, problem_text
from rag.server.problems import problem_of
from rag.server.security import admit

EXAMPLE_ID = "0b2b6c1e-7c56-4c8e-9d52-6f0d6a7f1c11"
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


class HelpQuery(BaseModel):
    """Hold what an asker sends."""

    question: str = Field(
        description="In French or English", examples=["Comment créer un client ?"]
    )
    page: str = Field(
        "",
        description="Where on the site the asker is: a path, an address, or a help page's id;"
        " pages near it come first",
        examples=["/clients/"],
    )
    title: str = Field(
        "", description="Title of that page of the site", examples=["Clients – MonChai"]
    )
    conversation_id: str | None = Field(
        None,
        max_length=200,
        description="Any text that stands for the conversation; of 16 characters or more (a UUID),"
        " it keeps what was asked before, so that a follow-up is understood",
        examples=[EXAMPLE_ID],
    )


class SourceBody(BaseModel):
    """Name a place in the help pages."""

    n: int = Field(description="The number by which the text cites it: `[n]`", examples=[1])
    title: str = Field(examples=["Créer un client"])
    heading: str = Field(description="Headings below the title", examples=["Étapes"])
    url: str = Field(examples=["https://aide.example.fr/clients/creer#etapes"])
    page: str = Field(description="The page's id", examples=["clients/creer.md"])
    score: float = Field(examples=[0.83])


class ActionBody(BaseModel):
    """Name a screen of the site that the answer's page leads to."""

    label: str = Field(examples=["Nouveau client"])
    url: str = Field(examples=["/clients/nouveau/"])


class UsageBody(BaseModel):
    """Hold what writing the answer cost."""

    prompt_tokens: int
    output_tokens: int
    prompt_s: float
    output_s: float
    load_s: float
    ended: Literal["stop", "length"]


class PageBody(BaseModel):
    """Name a help page for its readers."""

    title: str = Field(examples=["Créer un client"])
    url: str = Field(examples=["https://aide.example.fr/clients/creer"])


class MoreBody(BaseModel):
    """Say what an extract leaves out of what it quotes."""

    left: int = Field(description="How many", examples=[4])
    unit: Literal["steps", "items", "rows", "lines", "sentences", "paragraphs"] = Field(
        description="Of what", examples=["steps"]
    )
    url: str = Field(examples=["https://aide.example.fr/clients/creer#saisir"])


class AnswerBody(BaseModel):
    """Hold a whole answer."""

    model_config = ConfigDict(protected_namespaces=())

    text: str = Field(
        description="The answer, in a subset of Markdown; `[n]` cites a source",
        examples=["Ouvrez Clients puis cliquez sur Nouveau client [1]."],
    )
    page_effective: str | None = Field(
        description="The help page that the answer is about", examples=["clients/creer.md"]
    )
    see_also: list[str] = Field(
        description="Other pages: those that it links, then those that were found",
        examples=[["clients/fusionner.md"]],
    )
    degraded: bool = Field(description="Whether the model had no part in it", examples=[False])
    reason: str | None = Field(
        description="Why the text is an extract, in the question's language", examples=[None]
    )
    reason_code: str | None = Field(
        description="Name of that reason in any language: off, late, busy, unreachable…",
        examples=[None],
    )
    sources: list[SourceBody] = Field(description="What the text rests on")
    retrieved: list[SourceBody] = Field(description="What the search found")
    actions: list[ActionBody] = Field(description="Screens of the site to go to")
    cached: Literal["exact", "semantic"] | None = Field(
        description="Whether it was kept: for the same question, or for one that means the same",
        examples=[None],
    )
    legs: list[str] = Field(
        description="Which searches found something", examples=[["bm25", "knn"]]
    )
    timings: dict[str, float] = Field(description="In ms", examples=[{"total_ms": 1830.2}])
    answered: bool = Field(
        description="Whether the pages answer; else the text names the nearest", examples=[True]
    )
    truncated: bool = Field(description="Whether the time ended the text", examples=[False])
    more: MoreBody | None = Field(
        description="What the text leaves out of what it quotes", examples=[None]
    )
    unsupported: int = Field(
        description="Sentences of the model left out, since no page says so", examples=[0]
    )
    model: str | None = Field(description="The model that wrote it", examples=["phi3:mini"])
    usage: UsageBody | None = Field(description="What that cost", examples=[None])
    confidence: Confidence = Field(
        description="How sure it is that the pages found answer the question", examples=["sure"]
    )
    talk: str | None = Field(
        description="The kind of small talk that the text replies to: thanks, greeting, person…",
        examples=[None],
    )
    answer_id: str = Field(
        description="What feedback names", examples=["7d0a8c0e1d9b4a30a4b6c0c1f0c5a5d1"]
    )
    lang: Literal["fr", "en", "es"] = Field(description="Language of the answer", examples=["fr"])
    conversation_id: str | None = Field(description="As it was sent", examples=[EXAMPLE_ID])
    pages: dict[str, PageBody] = Field(
        description="Title and address of `page_effective` and `see_also`, by id"
    )


def answer_body(served: CompleteEvent) -> dict[str, Any]:
    """Return an answer as the help endpoint sends it; ``reason_code`` is its reason's name."""
    body = _values(served)
    answer = _values(body.pop("answer"))
    return {**answer, "reason_code": code_of(served.answer.reason), **body}


def event_message(event: AnswerEvent) -> dict[str, Any]:
    """Return an event as the WebSocket and the SSE stream send it, without its number.

    A conversation's id is the sender's to add where the event does not know it.
    """
    if isinstance(event, SourcesEvent):
        return {
            "type": "message_sources",
            "extract": event.extract,
            "sources": event.retrieved,
        }
    if isinstance(event, ChunkEvent):
        return {"type": "message_chunk", "content": event.content}
    body = answer_body(event)
    return {
        "type": "message_complete",
        "content": body.pop("text"),
        **body,
        "stopped": False,
    }


def _values(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields as they are: orjson writes those within it."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


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
            said = {"type": "error", "code": code, "message": problem_text(code, "fr")}
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
