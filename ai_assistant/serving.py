"""One help desk a process: the server's application, on an event loop and a thread of its own.

Django's views come from many threads and event loops; what the desk holds belongs to one loop. It
is opened by the first one who asks, hence after a server has forked its workers.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger(__name__)
NO_ORIGINS = {"allowed_origins": ""}
CLOSE_S = 6.0  # a little more than the desk takes to let answers end
T = TypeVar("T")
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Serving:
    """Run the server's application. Raises: HelpError, for one when a setting is wrong."""

    def __init__(self) -> None:
        started: Future[FastAPI] = Future()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(started,), daemon=True, name="souffleur"
        )
        self._thread.start()
        app = started.result()
        self.app = _behind_proxies(app)
        self._desk = app.state.desk

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the application's loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the application's loop; it is cancelled with its caller."""
        return await asyncio.wrap_future(self.start(coroutine))

    async def drain(self) -> None:
        """Take no new question, and let answers end within the desk's own limit of time."""
        await self.run(self._desk.drain())

    def close(self) -> None:
        """Let answers end, within the desk's own limit of time."""
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(CLOSE_S)

    def _run(self, started: Future[FastAPI]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._live(started))
            except Exception as error:
                if started.done():
                    logger.exception("The help desk ended")
                else:
                    started.set_exception(error)

    async def _live(self, started: Future[FastAPI]) -> None:
        app = _new_application()
        async with app.router.lifespan_context(app):
            started.set_result(app)
            await self._ending.wait()


def _new_application() -> FastAPI:
    # as the command line does: see docs/adr/0003-one-blas-thread.md
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from rag.server.app import create_app
    from rag.server.settings import load_server_settings

    # whose pages may ask, Django has judged: see `access`
    doors = load_server_settings().model_copy(update=NO_ORIGINS)
    return create_app(server_settings=doors, with_demo=False, channel="django")


def _behind_proxies(app: FastAPI) -> Application:
    """Return the application with the clients' addresses that trusted proxies name."""
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    trusted = app.state.doors.settings.trusted_proxies
    return cast(Application, ProxyHeadersMiddleware(app, trusted))  # type: ignore[arg-type]


class _Process:
    """Hold this process's help desk, once there is one."""

    lock = threading.Lock()
    serving: Serving | None = None

    def forget(self) -> None:
        """Forget the parent's desk in a forked child: its thread is not there."""
        self.lock, self.serving = threading.Lock(), None


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget)


def serving() -> Serving:
    """Return this process's help desk, opening it if it is not. Raises: HelpError."""
    with _process.lock:
        if _process.serving is None:
            _process.serving = Serving()
        found: Serving = _process.serving
    return found


async def opened() -> Serving:
    """Return this process's help desk without holding up the event loop. Raises: HelpError."""
    return _process.serving or await asyncio.to_thread(serving)


async def drain() -> None:
    """Let answers under way end, if there is a help desk in this process."""
    if _process.serving is not None:
        await _process.serving.drain()


@atexit.register
def close() -> None:
    """End this process's help desk, if there is one."""
    with _process.lock:
        ended, _process.serving = _process.serving, None
    if ended is not None:
        ended.close()
