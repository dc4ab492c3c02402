"""What uvicorn leaves open: slow, silent and hostile clients, and answers when it is to stop.

`serve` gives both classes to uvicorn (``http=``, ``ws=``); other servers do without.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from asyncio.transports import BaseTransport
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

HEAD_S = 5.0  # in which a request's line and headers come, or a kept connection's first byte
CLOSE_S = 2.0  # in which a client says that it has read that it is closed
LINGER_S = 1.0  # in which a client that broke the protocol may read why
SEND_BUFFER_BYTES = 128 * 1024  # that the system holds for one client: enough for an answer
MOST_FRAGMENTS = 1_000  # of one message: empty ones would count as no bytes
LINE = "souffleur.line"
SIGNALS = (signal.SIGINT, signal.SIGTERM)  # that end a server


class Line:
    """Be what an application may do with a connection, beyond ASGI: cut it, or drain it."""

    def __init__(self, abort: Callable[[], None]) -> None:
        self.abort = abort
        self.on_leave: Callable[[], None] | None = None


class Turnstile:
    """Let one new connection in each turn of the event loop: a crowd would hold all others up."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._turning = False

    def enter(self, begin: Callable[[], None]) -> None:
        """Have ``begin`` called in one of the next turns of the event loop."""
        self._waiting.append(begin)
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        if not self._waiting:
            self._turning = False
            return
        asyncio.get_running_loop().call_soon(self._turn)  # also when what begins fails
        self._waiting.popleft()()


class PatientHttp(H11Protocol):
    """Let a client have `HEAD_S` for the head of a request; without, it could take for ever."""

    _turnstile = Turnstile()
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for its turn, then for a request."""
        super().connection_made(transport)
        self.transport.pause_reading()
        self._turnstile.enter(self._begin)

    def _begin(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read; a head that has begun to come is waited for, too."""
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        before = self.scope
        super().data_received(data)
        if self.scope is not before:
            self._head_came()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class PatientSocket(WebSocketsSansIOProtocol):
    """Bound what a client can make the server hold, and let answers end before it is closed."""

    _fragments = 0
    _failed = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin; the application may cut the connection and is told when the server stops."""
        super().connection_made(transport)
        self._line = Line(self.transport.abort)
        self.close_timeout = CLOSE_S
        with suppress(OSError, AttributeError):
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Hand the application its `Line`."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:  # else the handshake was none
            scope["extensions"][LINE] = self._line

    def data_received(self, data: bytes) -> None:
        """Read, unless the client broke the protocol before."""
        if not self._failed:
            super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """Hand on a message, if it is text or no text: half a letter is no fault of ours to log."""
        if self.curr_msg_data_type == "text":
            try:
                self.frames = [b"".join(self.frames)]
                self.frames[0].decode()
            except UnicodeDecodeError:
                self._fail(1007, "no UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Take a piece of a message, one of at most `MOST_FRAGMENTS`."""
        self._fragments = 0 if event.fin else self._fragments + 1
        if self._fragments > MOST_FRAGMENTS:
            self._fail(1009, "too many fragments")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read: its answers would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_parser_exception(self) -> None:
        """Close, and let the client read why: closing on unread bytes would reset it."""
        if self._failed or self.conn.close_sent is None:
            return
        self._failed = True
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(part for part in self.conn.data_to_send() if part))
        self.close_sent = True
        self.frames = []
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _fail(self, code: int, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """Cut a client off that answers no ping; a close would wait for it to read."""
        super().keepalive_timeout()
        if self.close_sent:
            self.transport.abort()

    def shutdown(self) -> None:
        """Let the application end its answers and close."""
        if self.handshake_complete and not self.close_sent and self._line.on_leave:
            self._line.on_leave()
        else:
            super().shutdown()


@contextmanager
def draining(drain: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Have a signal to stop wait until answers have ended; a second of its kind ends at once.

    uvicorn would close WebSockets first, in the middle of their answers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    seen: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    def begin(number: int) -> None:
        task = asyncio.ensure_future(drain())
        tasks.append(task)
        handler = before[signal.Signals(number)]
        task.add_done_callback(lambda _: handler(number, None) if callable(handler) else None)

    def signalled(number: int, _: object) -> None:
        if number in seen:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        seen.append(number)
        if len(seen) == 1:  # Ctrl-C reaches the workers by itself and through their parent
            loop.call_soon_threadsafe(begin, number)

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, signalled)
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
