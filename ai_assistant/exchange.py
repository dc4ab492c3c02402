"""One HTTP request to the server's application, and its response as it comes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ai_assistant.serving import Application, Message

logger = logging.getLogger(__name__)
QUEUED = 16  # pieces of a response that wait for a slow reader
LEAVE_S = 1.0  # for the application to see that its asker is gone


class Exchange:
    """Ask the application; every method runs on the application's loop."""

    def __init__(self, app: Application, scope: dict[str, Any], body: bytes) -> None:
        self._app, self._scope = app, scope
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message] = asyncio.Queue(QUEUED)
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> tuple[int, list[tuple[str, str]]]:
        """Send the request. Returns the response's status and headers."""
        self._task = asyncio.create_task(self._ask())
        message = await self._next()
        if message is None:
            return 500, []
        headers = [
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in message["headers"]
        ]
        return message["status"], headers

    async def next(self) -> bytes | None:
        """Return the next piece of the body, None at its end."""
        message = await self._next()
        while message is not None and not message.get("body"):
            message = await self._next()
        return None if message is None else message["body"]

    async def rest(self) -> bytes:
        """Return all that is left of the body."""
        pieces = []
        while (piece := await self.next()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    async def end(self) -> None:
        """Leave: what is still being answered is stopped."""
        self._gone.set()
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=LEAVE_S)
            self._task.cancel()

    async def _next(self) -> Message | None:
        """Return the next message, None when the application has sent all of them."""
        assert self._task is not None
        waiting = asyncio.ensure_future(self._messages.get())
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            return None if self._messages.empty() else self._messages.get_nowait()
        finally:
            waiting.cancel()

    async def _ask(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception:
            logger.exception("The help desk failed")

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)
