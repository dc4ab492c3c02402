"""A conversation over the WebSocket: its numbered messages, and the answer that is under way.

An answer belongs to its conversation, not to the connection that asked: when that breaks, it goes
on for a while, and whoever resumes the conversation hears the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

from rag.analysis import question_language
from rag.core.answers import Answer, AnswerEvent, ChunkEvent, CompleteEvent, SourcesEvent
from rag.core.errors import HelpError, QuestionRefused
from rag.desk import HelpDesk, Served
from rag.server.incoming import Ask, Resume
from rag.server.rendering import event_message
from rag.server.replay import Numbered, Replay
from rag.server.wording import detail

STOP_S = 1.0  # in which a stopped answer ends by itself
logger = logging.getLogger(__name__)


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
        return Answer(text, retrieved=found.retrieved, truncated=True, answered=bool(text))


def error_message(code: str, lang: str, more: str = "") -> dict[str, Any]:
    """Return an error as clients are told it; ``message`` is fit for an asker's eyes."""
    said = detail(code, lang)
    return {"type": "error", "code": code, "message": f"{said} ({more})" if more else said}
