"""The web application: its routes, and what stands before them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from rag.config.settings import Settings
from rag.core.records import Channel
from rag.desk import HelpDesk
from rag.server import admin, demo, monitoring, openai_api, query, security, static_pages, websocket
from rag.server.protocols import draining
from rag.server.security import install_doors
from rag.server.session import hub_of
from rag.server.settings import ServerSettings, load_server_settings
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
