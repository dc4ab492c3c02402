"""The WebSocket of the widget: who may open it, and how its connection is served.

Frames are JSON text. A client sends

- ``{type: "message", conversation_id, content, page?, title?}``
- ``{type: "stop", conversation_id}``
- ``{type: "resume", conversation_id, after, series?, waiting?}``: the messages numbered above
  ``after``; ``waiting``: for an answer, so that ``unknown_conversation`` says when none will come
- ``{type: "warm"}``

and is sent ``message_sources``, ``message_chunk`` …, ``message_complete`` or ``error``, numbered by
``seq`` in their conversation: 1, 2, 3… over its questions, anew with another ``series`` where
another process answers. An error without them refuses a frame.
Chunks joined are the complete message's content, unless it has a reason, answers nothing or was
stopped: its content then replaces them. A conversation whose id has fewer than 16 characters is
known to its connection alone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, WebSocket
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect

from rag.language.detection import question_language
from rag.server.frames import Ask, Numbered, Resume, Stop, Unreadable, read_frame
from rag.server.middleware import client_of
from rag.server.monitoring import open_websocket
from rag.server.protocols import LINE, Line
from rag.server.security import caller_allowed, origin_allowed, subprotocol
from rag.server.session import Conversation, Hub, error_message, hub_of

SEND_S = 10.0  # who takes no message for so long is gone
MOST_WAITING_BYTES = 512 * 1024
MOST_AT_ONCE = 2  # answers under way
MOST_CONVERSATIONS = 20  # that are of no other connection
BAD_IN_A_ROW = 5
MOST_FRAMES, FRAMES_S = 200, 10.0
SHORTEST_SHARED_ID = 16  # characters; a shorter one can be guessed
SHOWN_NAME = 8
UNSUPPORTED_DATA, POLICY_VIOLATION, SERVICE_RESTART = 1003, 1008, 1012
# the form is the users': their guide and their log filters name it
STREAMING_LINE = "Streaming démarré pour la conversation %s, fragment #1 envoyé"
logger = logging.getLogger("rag.server.socket")
PATH = "/ws/ai_assistant/"
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Hold a message to send; ``begins`` is the conversation of whose text it is the first."""

    text: str
    begins: Conversation | None = None


class Connection:
    """Serve one client; ``abort`` cuts its connection, if the server can do that."""

    def __init__(
        self, websocket: WebSocket, hub: Hub, name: str, abort: Callable[[], None] | None
    ) -> None:
        self._websocket, self._hub = websocket, hub
        self._name = name
        self._abort = abort
        self._own: dict[str, Conversation] = {}
        self._heard: set[Conversation] = set()
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self._close_code: int | None = None
        self._bad = 0
        self._frames: deque[float] = deque(maxlen=MOST_FRAMES)

    @property
    def answering(self) -> int:
        """Return how many answers are under way for this client."""
        return sum(conversation.answering for conversation in self._heard)

    async def serve(self) -> None:
        """Read and write until the client leaves or is sent away."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._close_code is not None:
                await asyncio.wait({writer}, timeout=SEND_S)
        finally:
            for task in (reader, writer):
                task.cancel()
            for ended in await asyncio.gather(reader, writer, return_exceptions=True):
                if isinstance(ended, Exception):
                    logger.error("A connection failed: %r", ended, exc_info=ended)
            self._waiting.clear()
            for conversation in list(self._heard):
                self.let_go(conversation)
                self._hub.unheard(conversation)

    def tell(self, numbered: Numbered, conversation: Conversation) -> None:
        """Take a message to be sent; who does not read what waits already is cut off."""
        self._put(Waiting(numbered.text, conversation if numbered.first else None))

    def end(self, code: int) -> None:
        """Close after what waits was sent."""
        self._close_code = code
        self._ready.set()

    def leave(self) -> None:
        """Tell the client that the server is stopping, and close."""
        self._refuse("unavailable")
        self.end(SERVICE_RESTART)

    def let_go(self, conversation: Conversation) -> None:
        """Hear no more of a conversation."""
        self._heard.discard(conversation)
        conversation.listeners.discard(self)

    async def _read(self) -> None:
        while self._close_code is None:
            frame = await self._websocket.receive()
            if frame["type"] == "websocket.disconnect":
                return
            text = frame.get("text")
            if text is None:
                self.end(UNSUPPORTED_DATA)
                return
            self._obey(text)
            if self._bad >= BAD_IN_A_ROW or self._too_fast():
                self.end(POLICY_VIOLATION)

    def _too_fast(self) -> bool:
        now = time.monotonic()
        full = len(self._frames) == MOST_FRAMES and now - self._frames[0] < FRAMES_S
        self._frames.append(now)
        return full

    def _obey(self, text: str) -> None:
        try:
            incoming = read_frame(text)
        except Unreadable as error:
            self._bad += 1
            self._refuse(error.code, error.conversation_id, more=str(error))
            return
        self._bad = 0
        if isinstance(incoming, Ask):
            self._ask(incoming)
        elif isinstance(incoming, Resume):
            self._resume(incoming)
        elif isinstance(incoming, Stop):
            found = self._find(incoming.conversation_id)
            if found is not None:
                found.stop()
        else:
            self._hub.warm()

    def _ask(self, ask: Ask) -> None:
        code = self._objection(ask)
        if code:
            self._refuse(code, ask.conversation_id, question_language(ask.content))
            return
        conversation = self._find(ask.conversation_id) or self._new(ask.conversation_id)
        self._hear(conversation)
        conversation.ask(self._hub.reception, ask)

    def _objection(self, ask: Ask) -> str:
        if self._hub.leaving:
            return "unavailable"
        conversation = self._find(ask.conversation_id)
        if self.answering >= MOST_AT_ONCE or (conversation and conversation.answering):
            return "busy"
        return "" if self._hub.may_ask(self._websocket) else "too_many"

    def _resume(self, resume: Resume) -> None:
        conversation = self._find(resume.conversation_id)
        missed = conversation.missed(resume) if conversation else None
        if conversation is None or missed is None:
            self._refuse("unknown_conversation", resume.conversation_id)
            return
        self._hear(conversation)
        for numbered in missed:
            self.tell(numbered, conversation)

    def _hear(self, conversation: Conversation) -> None:
        """Be told what the conversation says; a tab that was duplicated hears the same."""
        conversation.listeners.add(self)
        self._heard.add(conversation)

    def _find(self, name: str) -> Conversation | None:
        if len(name) < SHORTEST_SHARED_ID:
            return self._own.get(name)
        return self._hub.shelf.get(name)

    def _new(self, name: str) -> Conversation:
        if len(name) >= SHORTEST_SHARED_ID:
            conversation = Conversation(name, name, resumable=True)
            self._hub.shelf.put(name, conversation)
            return conversation
        conversation = Conversation(name, f"{self._name}:{name}", resumable=False)
        self._own[name] = conversation
        idle = [other for other in self._own.values() if not other.answering]
        for other in idle[: max(0, len(self._own) - MOST_CONVERSATIONS)]:
            self._own.pop(other.name)
            self.let_go(other)
        return conversation

    def _refuse(
        self, code: str, conversation: str | None = None, lang: str = "fr", more: str = ""
    ) -> None:
        message: dict[str, Any] = error_message(code, lang, more)
        if conversation is not None:
            message["conversation_id"] = conversation
        self._put(Waiting(orjson.dumps(message).decode()))

    def _put(self, waiting: Waiting) -> None:
        if self._close_code is not None:
            return
        self._bytes += len(waiting.text)
        if self._bytes > MOST_WAITING_BYTES:
            self._cut_off()
            return
        self._waiting.append(waiting)
        self._ready.set()

    def _cut_off(self) -> None:
        logger.warning("A client does not read what it is sent and is cut off.")
        self._waiting.clear()
        self.end(POLICY_VIOLATION)
        if self._abort is not None:
            self._abort()

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it has left: the reader is told
            while await self._write_waiting():
                self._ready.clear()
                await self._ready.wait()
            if self._close_code is not None:
                await self._websocket.close(self._close_code)

    async def _write_waiting(self) -> bool:
        """Send what waits; say whether more may come."""
        while self._waiting:
            waiting = self._waiting.popleft()
            try:
                async with asyncio.timeout(SEND_S):
                    await self._websocket.send_text(waiting.text)
            except TimeoutError:
                self._cut_off()
                return False
            self._bytes -= len(waiting.text)
            if waiting.begins is not None:
                logger.debug(STREAMING_LINE, shown_name(waiting.begins.name))
        return self._close_code is None


def shown_name(name: str) -> str:
    """Return an id as a log may show it: whoever knows a long one can read the conversation."""
    text = name if len(name) < SHORTEST_SHARED_ID else f"{name[:SHOWN_NAME]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@router.websocket(PATH)
async def help_socket(websocket: WebSocket) -> None:
    """Answer questions over a WebSocket."""
    hub = hub_of(websocket.app)
    status = _refusal(websocket, hub)
    if status is not None:
        await _deny(websocket, status)
        return
    client = client_of(websocket.scope)
    line: Line | None = websocket.scope.get("extensions", {}).get(LINE)
    name = secrets.token_hex(16)
    connection = Connection(websocket, hub, name, line.abort if line else None)
    hub.join(connection, client)
    if line is not None:
        line.on_leave = hub.leave
    try:
        await websocket.accept(subprotocol(websocket.headers))
        with open_websocket():
            await connection.serve()
    finally:
        hub.part(connection, client)


def _refusal(websocket: WebSocket, hub: Hub) -> int | None:
    """Return the HTTP status that refuses a handshake, None if it is accepted."""
    settings = websocket.app.state.doors.settings
    headers, scope = websocket.headers, websocket.scope
    if not origin_allowed(settings, headers.get("origin"), headers.get("host"), scope["scheme"]):
        return 403
    if not caller_allowed(settings, headers):
        return 401
    return hub.full(websocket)


async def _deny(websocket: WebSocket, status: int) -> None:
    extensions: dict[str, Any] = websocket.scope.get("extensions", {})
    if "websocket.http.response" in extensions:
        await websocket.send_denial_response(Response(status_code=status))
    else:
        await websocket.close()
