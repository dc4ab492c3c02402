"""Conversations over the WebSocket, each with the answer that is under way, and all of a process.

An answer belongs to its conversation, not to the connection that asked: when that breaks, it goes
on for a while, and whoever resumes the conversation hears the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

from starlette.applications import Starlette
from starlette.websockets import WebSocket

from rag.core.answers import Answer, AnswerEvent, ChunkEvent, CompleteEvent, SourcesEvent
from rag.core.errors import HelpError, QuestionRefused
from rag.desk import HelpDesk, Served
from rag.language.detection import question_language
from rag.language.messages import problem_text
from rag.server.frames import Ask, Numbered, Replay, Resume, Shelf
from rag.server.middleware import client_of
from rag.server.query import event_message
from rag.server.security import Doors, holds_api_key
from rag.writing.writer import seconds

STOP_S = 1.0  # in which a stopped answer ends by itself
logger = logging.getLogger("rag.server.socket")
LOOKED_UP_AT_ONCE = 2  # of newcomers, and of those who had an answer before
GRACE_S = 5.0  # an answer goes on for so long while nobody listens
WARM_S = 300.0  # at most; a model stays in memory for longer
WARM_AGAIN_S = 15.0


class Listener(Protocol):
    """Be told a conversation's messages as they come; never waits."""

    def tell(self, numbered: Numbered, conversation: Conversation) -> None:
        """Take a message to be sent."""


class Conversation:
    """Hold one conversation. ``name`` is the client's for it, ``key`` the help desk's."""

    def __init__(self, name: str, key: str, *, resumable: bool) -> None:
        self.name = name
        self.key = key
        self.resumable = resumable
        self.replay = Replay()
        self.listeners: set[Listener] = set()
        self.exchange: Exchange | None = None

    @property
    def answering(self) -> bool:
        """Say whether an answer is under way."""
        return self.exchange is not None and not self.exchange.told_end

    def ask(self, reception: Reception, ask: Ask) -> None:
        """Have a question answered; none may be under way."""
        self.exchange = Exchange(reception, ask, self, self.exchange)

    def stop(self) -> None:
        """Stop the answer that is under way, if there is one; it is told as it is so far."""
        if self.exchange is not None:
            self.exchange.stop()

    def tell(self, message: dict[str, Any], *, first: bool = False) -> None:
        """Number a message, keep it, and tell whoever listens."""
        numbered = self.replay.add({**message, "conversation_id": self.name}, first=first)
        for listener in list(self.listeners):
            listener.tell(numbered, self)

    def missed(self, resume: Resume) -> list[Numbered] | None:
        """Return what a client has not heard; None when that is unknown, or nothing will come."""
        if resume.series not in ("", self.replay.series):
            return None
        missed = self.replay.after(resume.after)
        lost = resume.waiting and not missed and not self.answering
        return None if lost else missed


@dataclass(frozen=True, slots=True)
class Reception:
    """Hold where questions are asked: so many of each kind are looked up at once.

    Of hundreds that come together each would else be too slow for its time. ``regulars`` have had
    an answer in their conversation; a crowd of ``newcomers`` does not make them wait.
    ``model_used`` is called when a model has written an answer.
    """

    desk: HelpDesk
    newcomers: asyncio.Semaphore
    regulars: asyncio.Semaphore
    model_used: Callable[[], None]


class Exchange:
    """Have one question answered; exactly one message of its own ends it: complete or error."""

    def __init__(
        self,
        reception: Reception,
        ask: Ask,
        conversation: Conversation,
        before: Exchange | None,
    ) -> None:
        self._reception, self._ask = reception, ask
        self._conversation = conversation
        self._streaming = reception.desk.settings.streaming_enabled
        self._place: asyncio.Semaphore | None = None
        self._found: SourcesEvent | None = None
        self._text: list[str] = []
        self._stopping = False
        self.told_end = False
        earlier = before.task if before else None
        self.task: asyncio.Task[None] = asyncio.create_task(self._run(earlier))
        self.task.add_done_callback(self._ended)

    @property
    def lang(self) -> str:
        """Return the question's language."""
        return question_language(self._ask.content)

    def stop(self) -> None:
        """End it; the model is told at once."""
        if self.told_end or self._stopping:
            return
        self._stopping = True
        if self._found is None:
            self.task.cancel()
        else:
            self._reception.desk.cut_short(self._conversation.key)
            asyncio.get_running_loop().call_later(STOP_S, self._cancel)

    def _cancel(self) -> None:
        if not self.told_end:
            self.task.cancel()

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():  # its answer was told, its turn is not noted
            await asyncio.wait([before])
        desk, ask = self._reception.desk, self._ask
        line = self._reception.newcomers if before is None else self._reception.regulars
        try:
            async with asyncio.timeout(desk.settings.timeout_s / 2):
                await line.acquire()
        except TimeoutError:
            self._tell_end(error_message("busy", self.lang))
            return
        self._place = line
        try:
            events = desk.stream(
                ask.content,
                place=ask.page or "",
                title=ask.title or "",
                conversation_id=self._conversation.key,
                channel="websocket",
            )
            async with aclosing(events):
                async for event in events:
                    self._give_place_back()
                    self._take(event)
        finally:
            self._give_place_back()

    def _give_place_back(self) -> None:
        if self._place is not None:
            self._place.release()
            self._place = None

    def _take(self, event: AnswerEvent) -> None:
        if isinstance(event, CompleteEvent):
            answer = event.answer
            if answer.model and not answer.cached:
                self._reception.model_used()
            if self._stopping:  # by the asker, which is no fault
                event = replace(event, answer=replace(answer, degraded=False, reason=None))
            self._tell_end({**event_message(event), "stopped": self._stopping})
            return
        if isinstance(event, SourcesEvent):
            self._found = event
        if isinstance(event, ChunkEvent):
            self._text.append(event.content)
        if self._streaming:
            first = isinstance(event, ChunkEvent) and len(self._text) == 1
            self._conversation.tell(event_message(event), first=first)

    def _tell_end(self, message: dict[str, Any]) -> None:
        if not self.told_end:
            self.told_end = True
            self._conversation.tell(message)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self.told_end:
            if error is not None:
                logger.error("After an answer was sent: %s", error, exc_info=error)
        elif self._stopping or task.cancelled():
            served = Served(self._so_far(), self.lang, uuid4().hex)
            self._tell_end({**event_message(served), "stopped": True})
        else:
            self._tell_end(error_message(self._code(error), self.lang))

    def _code(self, error: BaseException | None) -> str:
        if isinstance(error, QuestionRefused):
            return "too_long"
        if isinstance(error, HelpError):
            logger.warning("%s", error)  # with the cure, for the operator
            return "unavailable"
        logger.error("An answer failed: %r", error, exc_info=error)
        return "internal"

    def _so_far(self) -> Answer:
        """Return what the asker saw of an answer that did not end by itself."""
        found = self._found or SourcesEvent((), "")
        text = "".join(self._text).strip() or found.extract
        answer = Answer(text, retrieved=found.retrieved, truncated=True)
        return answer if text else replace(answer, answered=False, confidence="no")


def error_message(code: str, lang: str, more: str = "") -> dict[str, Any]:
    """Return an error as clients are told it; ``message`` is fit for an asker's eyes."""
    said = problem_text(code, lang)
    return {"type": "error", "code": code, "message": f"{said} ({more})" if more else said}


class Connection(Protocol):
    """Be one open WebSocket, as far as the others are concerned."""

    @property
    def answering(self) -> int:
        """Return how many answers are under way for this client."""

    def leave(self) -> None:
        """Tell the client that the server is stopping, and close."""


def hub_of(app: Starlette) -> Hub:
    """Return the application's hub, made when it is first asked for."""
    if not hasattr(app.state, "hub"):
        app.state.hub = Hub(app.state.desk, app.state.doors)
    hub: Hub = app.state.hub
    return hub


class Hub:
    """Hold what connections share; it belongs to one event loop."""

    def __init__(self, desk: HelpDesk, doors: Doors) -> None:
        self.desk = desk
        self.leaving = False
        self.shelf: Shelf[Conversation] = Shelf(
            lambda conversation: conversation.replay.bytes,
            lambda conversation: conversation.answering,
        )
        newcomers = asyncio.Semaphore(LOOKED_UP_AT_ONCE)
        regulars = asyncio.Semaphore(LOOKED_UP_AT_ONCE)
        self.reception = Reception(desk, newcomers, regulars, self._note_used)
        self._doors = doors
        self._connections: set[Connection] = set()
        self._of_client: Counter[str] = Counter()
        self._warming: asyncio.Task[None] | None = None
        self._warm_until = 0.0
        self._leave: asyncio.Task[None] | None = None

    def full(self, websocket: WebSocket) -> int | None:
        """Return the HTTP status that refuses one more WebSocket, None if it may be opened."""
        settings = self._doors.settings
        if self.leaving or len(self._connections) >= settings.max_connections:
            return 503
        client = client_of(websocket.scope)
        return 429 if self._of_client[client] >= settings.max_connections_per_client else None

    def join(self, connection: Connection, client: str) -> None:
        """Count an open WebSocket; it is to `part`."""
        self._connections.add(connection)
        self._of_client[client] += 1

    def part(self, connection: Connection, client: str) -> None:
        """Forget a WebSocket that is closed."""
        self._connections.discard(connection)
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def may_ask(self, websocket: WebSocket) -> bool:
        """Count one question of a client; say whether it may be asked."""
        if holds_api_key(self._doors.settings, websocket.headers):
            return True
        return self._doors.limiter.hit(client_of(websocket.scope))

    def unheard(self, conversation: Conversation) -> None:
        """Stop an answer that nobody listens to: in a while if it can be resumed, else at once."""
        if not conversation.answering:
            return
        if not conversation.resumable:
            conversation.stop()
            return
        exchange = conversation.exchange

        def give_up() -> None:
            if not conversation.listeners and conversation.exchange is exchange:
                conversation.stop()

        asyncio.get_running_loop().call_later(GRACE_S, give_up)

    def warm(self) -> None:
        """Have the model loaded, unless that is under way or it was used lately."""
        if self._warming is None and time.monotonic() > self._warm_until and not self.leaving:
            self._warming = asyncio.create_task(self._warm())

    def leave(self) -> None:
        """Take no more questions; end what is under way, then close every WebSocket."""
        if self._leave is None:
            self.leaving = True
            self._leave = asyncio.create_task(self._leaving())

    async def close(self) -> None:
        """End what is under way, answers that nobody listens to among them."""
        self.leave()
        if self._leave is not None:
            await self._leave
        if self._warming is not None:
            self._warming.cancel()

    async def _leaving(self) -> None:
        for connection in list(self._connections):
            if not connection.answering:
                connection.leave()
        await self.desk.drain()
        for conversation in self.shelf.all():
            conversation.stop()
        for connection in list(self._connections):
            connection.leave()

    async def _warm(self) -> None:
        self._warm_until = time.monotonic() + WARM_AGAIN_S
        try:
            if await self.desk.warm():
                self._note_used()
        except HelpError as error:
            logger.warning("%s", error)
        finally:
            self._warming = None

    def _note_used(self) -> None:
        in_memory_s = seconds(self.desk.settings.keep_alive) / 2
        self._warm_until = max(self._warm_until, time.monotonic() + min(in_memory_s, WARM_S))
