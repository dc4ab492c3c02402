"""The help as a model of OpenAI's protocol, so that any chat client can ask it.

A request holds its whole conversation: the last message of the user is the question, and those
before make it whole where it goes on from them. Nothing is kept between requests. What a client
says to steer a model (system messages, temperature, tools) has no effect: answers come from the
pages. ``sources`` are a field of the message, and a list at the end of its text.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from rag.core.answers import Answer, ChunkEvent, CompleteEvent, Source
from rag.core.errors import HelpError
from rag.core.records import Turn
from rag.desk import HelpDesk
from rag.language.messages import message, more_left
from rag.question import read_question
from rag.retriever import LONGEST_QUESTION
from rag.server.problems import Problem, problem_of, problem_response
from rag.server.query import while_there
from rag.server.security import admit

SPECIAL = re.compile(r"([\\\[\]<>`*_])")
router = APIRouter(prefix="/v1", tags=["OpenAI"])
MODEL = "souffleur"
MOST_TURNS = 10
MOST_MESSAGES = 500
GONE = Response(status_code=204)  # nobody is there to read it


def whole_text(answer: Answer, lang: str) -> str:
    """Return an answer's text with why it is an extract, and its sources."""
    return after_chunks("", answer, lang) + closing(answer, lang)


def after_chunks(sent: str, answer: Answer, lang: str) -> str:
    """Return what is still to be said of an answer after the chunks ``sent``.

    What was sent cannot be taken back: a text that replaces it is set apart by a rule.
    """
    if not sent:
        return _reason(answer, lang) + answer.text
    if answer.text.startswith(sent):
        return answer.text[len(sent) :]
    return f"\n\n---\n\n{_reason(answer, lang)}{answer.text}"


def closing(answer: Answer, lang: str) -> str:
    """Return how a text ends: that it was cut short, what is left, the list of its sources."""
    cut = f"\n\n{message('truncated', lang)}" if answer.truncated else ""
    if more := answer.more:
        cut += f"\n\n{more_left(more.left, more.unit, more.url, lang)}"
    if not answer.sources:
        return cut
    rows = "\n".join(f"- [{source.n}] {_link(source)}" for source in answer.sources)
    return f"{cut}\n\n{message('sources', lang)}\n\n{rows}"


class Completion:
    """Write the objects of one completion."""

    def __init__(self, model: str, *, wants_usage: bool) -> None:
        self._id = f"chatcmpl-{uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._wants_usage = wants_usage

    def whole(self, answer: Answer, lang: str) -> dict[str, Any]:
        """Return a completion."""
        message = {"role": "assistant", "content": whole_text(answer, lang), "refusal": None}
        choice = {
            "index": 0,
            "message": message | _sources(answer),
            "logprobs": None,
            "finish_reason": _finish(answer),
        }
        return self._object("chat.completion", [choice]) | {"usage": _usage(answer)}

    def piece(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """Return a line of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        more = {"usage": None} if self._wants_usage else {}
        return _line(self._object("chat.completion.chunk", [choice]) | more)

    def last(self, answer: Answer) -> bytes:
        """Return the lines that end a stream."""
        end = self.piece(_sources(answer), _finish(answer))
        if self._wants_usage:
            end += _line(self._object("chat.completion.chunk", []) | {"usage": _usage(answer)})
        return end + b"data: [DONE]\n\n"

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


def _reason(answer: Answer, lang: str) -> str:
    said = message("degraded", lang, reason=answer.reason) if answer.reason else ""
    return f"{said}\n\n" if said and answer.degraded else ""


def _link(source: Source) -> str:
    path = f"{source.title} > {source.heading}" if source.heading else source.title
    label = SPECIAL.sub(r"\\\1", path or source.page)
    if not re.fullmatch(r"(?:https?://|/)[^\s<>]+", source.url):
        return label
    return f"[{label}](<{source.url}>)"


def _sources(answer: Answer) -> dict[str, Any]:
    return {"sources": [asdict(source) for source in answer.sources]}


def _finish(answer: Answer) -> str:
    return "length" if answer.truncated else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    """Return what the answer cost, nothing where no model wrote it."""
    prompt = answer.usage.prompt_tokens if answer.usage else 0
    output = answer.usage.output_tokens if answer.usage else 0
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


class Part(BaseModel):
    """Hold a part of a message; only text is read."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: str | None = None


class Message(BaseModel):
    """Hold a message; those of the user are read."""

    model_config = ConfigDict(extra="allow")
    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Return what the message says."""
        if isinstance(self.content, list):
            return "\n".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    """Hold what a client wants of a stream."""

    include_usage: bool | None = False


class CompletionRequest(BaseModel):
    """Hold a request; parameters that are not named here are without effect."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "model": MODEL,
                "messages": [{"role": "user", "content": "Comment créer un client ?"}],
            }
        },
    )
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    model: str = MODEL
    n: int | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None


class ModelCard(BaseModel):
    """Name a model."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = MODEL


class ModelList(BaseModel):
    """Name the models: there is one."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.get("/models", dependencies=[Depends(admit)])
async def models() -> ModelList:
    """Name the models that can be asked."""
    return ModelList(data=[ModelCard()])


@router.get("/models/{name}", dependencies=[Depends(admit)])
async def model(name: str) -> ModelCard:
    """Describe a model. Raises: Problem 404 for another one's name."""
    if name != MODEL:
        raise Problem(404, "not_found")
    return ModelCard()


@router.post("/chat/completions", dependencies=[Depends(admit)], response_model=dict[str, Any])
async def completions(asked: CompletionRequest, request: Request) -> Any:
    """Answer the last message of the user from the help pages."""
    if asked.n not in (None, 1):
        raise Problem(400, "one_choice")
    question, lang = _question(asked.messages)
    desk: HelpDesk = request.app.state.desk
    wants_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    frame = Completion(asked.model, wants_usage=wants_usage)
    if asked.stream:
        lines = _streamed(desk, question, lang, frame, request)
        first = await while_there(request, _next(lines))
        return _EndingStream(first, lines) if first else GONE
    answer = await while_there(request, _answer(desk, question))
    return frame.whole(answer, lang) if answer is not None else GONE


class _EndingStream(StreamingResponse):
    """Send a first piece and those that follow; when the client leaves, no more are made."""

    def __init__(self, first: bytes, others: AsyncGenerator[bytes, None]) -> None:
        super().__init__(_joined(first, others), media_type="text/event-stream")
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._others.aclose()


async def _joined(first: bytes, others: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for piece in others:
        yield piece


async def _answer(desk: HelpDesk, question: str) -> Answer:
    async with aclosing(desk.stream(question)) as events:
        async for event in events:
            if isinstance(event, CompleteEvent):
                return event.answer
    raise HelpError("The stream ended without an answer.")


async def _next(lines: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(lines)


async def _streamed(
    desk: HelpDesk, question: str, lang: str, frame: Completion, request: Request
) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a stream; what goes wrong before the first is raised, later it is one."""
    sent = ""
    async with aclosing(desk.stream(question)) as events:
        try:
            async for event in events:
                if isinstance(event, ChunkEvent):
                    role = {} if sent else {"role": "assistant"}
                    sent += event.content
                    yield frame.piece(role | {"content": event.content})
                elif isinstance(event, CompleteEvent):
                    text = after_chunks(sent, event.answer, lang) + closing(event.answer, lang)
                    role = {} if sent else {"role": "assistant"}
                    yield frame.piece(role | {"content": text}) + frame.last(event.answer)
        except HelpError as error:
            if not sent:
                raise
            path, language = request.url.path, request.headers.get("accept-language", "")
            said = problem_response(problem_of(error), path, language)
            yield b"data: " + bytes(said.body) + b"\n\n"


def _question(messages: list[Message]) -> tuple[str, str]:
    """Return the question, whole by itself, and its language. Raises: Problem 400 without one."""
    said = [text for one in messages if one.role == "user" and (text := one.text.strip())]
    if not said or messages[-1].role == "assistant":
        raise Problem(400, "no_question")
    turns: list[Turn] = []
    for text in said[-MOST_TURNS:]:
        read = read_question(text[:LONGEST_QUESTION], turns)
        # what is too long is refused where every question is
        whole = read.standalone if len(text) < LONGEST_QUESTION else text
        turns.append(Turn(text, whole if len(whole) <= LONGEST_QUESTION else text))
    return turns[-1].contextual, read.language
