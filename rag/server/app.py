"""The web application: its routes, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from rag.desk import HelpDesk
from rag.server import query
from rag.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. Raises: ConfigError."""
    desk = HelpDesk(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await desk.close()

    app = FastAPI(title="Souffleur", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.include_router(query.router)
    return app
