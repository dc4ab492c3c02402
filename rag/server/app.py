"""The web application: its routes, and what stands before them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from fastapi import FastAPI

from rag.config.settings import Settings
from rag.core.records import Channel
from rag.desk import HelpDesk
from rag.server import admin, demo, monitoring, openai_api, query, security, static_pages, websocket
from rag.server.security import install_doors
from rag.server.session import hub_of
from rag.server.settings import SIGNALS, ServerSettings, load_server_settings
from rag.telemetry import open_traces

logger = logging.getLogger(__name__)
DESCRIPTION = "Answers questions from the site's own help pages, with sources, on time."


def create_app(
    settings: Settings | None = None,
    server_settings: ServerSettings | None = None,
    *,
    with_demo: bool = True,
    channel: Channel = "http",
    loaded: Callable[[], None] | None = None,
) -> FastAPI:
    """Return the application; ``channel`` is what the journal calls it. Raises: ConfigError.

    ``loaded`` is called when everything is in memory that the first question needs.
    """
    doors = server_settings or load_server_settings()
    desk = HelpDesk(settings, channel=channel)
    app = FastAPI(
        title="Souffleur",
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    app.state.loaded = loaded
    install_doors(app, doors)
    monitoring.watch(desk)
    app.state.traces = traces = open_traces()
    if traces is not None:
        desk.listeners.append(traces.note)
    for router in (
        query.router,
        openai_api.router,
        websocket.router,
        admin.feedback_router,
        security.router,
        admin.router,
        monitoring.router,
        static_pages.widget_router,
        static_pages.router,
    ):
        app.include_router(router)
    if with_demo:
        app.include_router(demo.router)  # last: its screens may be at any path
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: HelpDesk = app.state.desk
    warming = asyncio.ensure_future(_warm(desk, app.state.loaded))
    try:
        with draining(desk.drain):
            yield
    finally:
        warming.cancel()
        await asyncio.wait({warming})
        await hub_of(app).close()
        await desk.close()
        if app.state.traces is not None:
            await asyncio.to_thread(app.state.traces.close)


async def _warm(desk: HelpDesk, loaded: Callable[[], None] | None) -> None:
    """Load index and model before the first question, and tell the operator what is missing."""
    with suppress(Exception):  # the first answer says what is wrong with the model
        for line in await monitoring.lacks(desk):
            logger.warning("%s", line)
        await desk.load()
        if loaded is not None:
            loaded()
        await desk.warm()


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
