"""A site to try the widget on: the indexed help pages, and the screens that they lead to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import HTMLResponse, RedirectResponse

from rag.core.documents import Chunk, PageRecord
from rag.core.errors import HelpError
from rag.core.protocols import Store
from rag.server.demo_pages import Looks, empty_page, help_page, home_page, missing_page, screen_page
from rag.stores import open_store

FRESH_S = 2.0
READ_S = 5.0

router = APIRouter(include_in_schema=False)


class _ScreenConvertor(Convertor[str]):
    """Match paths that end in a slash, as Django's do, and are no way in of the server's."""

    regex = "(?!(?:api|ws|v1|aide)/)[^?#]+/"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("screen", _ScreenConvertor())


@dataclass(slots=True)
class Shelf:
    """Hold the indexed pages as they were a moment ago."""

    store: Store
    records: dict[str, PageRecord] = field(default_factory=dict)
    read_at: float = 0.0

    def pages(self) -> dict[str, PageRecord]:
        """Return the pages by their ids; none while there is no index."""
        if time.monotonic() - self.read_at > FRESH_S:
            try:
                self.records = self.store.records()
            except HelpError:
                self.records = {}
            self.read_at = time.monotonic()
        return self.records

    def chunks(self, record: PageRecord) -> list[Chunk]:
        """Return a page's chunks in reading order."""
        found = self.store.chunks(record.chunk_ids, READ_S)
        return sorted(found.values(), key=lambda chunk: chunk.position)

    def screen(self, path: str) -> tuple[str, list[PageRecord]]:
        """Return the name of a screen of the site and the pages that lead to it."""
        leading = {
            record.id: (action.label, record)
            for record in self.pages().values()
            for action in record.actions
            if urlsplit(action.url).path == path
        }
        label = next((label for label, _ in leading.values()), "")
        return label, [record for _, record in leading.values()]


@router.get("/")
async def home(request: Request) -> Response:
    """Show the site's first page."""
    shelf = _shelf(request)
    pages = await run_in_threadpool(shelf.pages)
    return _page(home_page(pages, _looks(request)) if pages else empty_page(_looks(request)))


@router.get("/aide/{page_id:path}")
async def read(request: Request, page_id: str) -> Response:
    """Show a help page, as it is indexed."""
    shelf = _shelf(request)
    pages = await run_in_threadpool(shelf.pages)
    record = pages.get(page_id)
    if not page_id:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/", 307)
    if record is None:
        return _page(missing_page(_looks(request)), 404)
    chunks = await run_in_threadpool(shelf.chunks, record)
    return _page(help_page(record, chunks, pages, _looks(request)))


@router.get("/demo.css")
async def style() -> Response:
    """Serve the looks of the demo."""
    return Response(_style(), media_type="text/css; charset=utf-8")


@router.get("/{path:screen}")
async def screen(request: Request, path: str) -> Response:
    """Show the place of a screen that the help pages lead to."""
    shelf = _shelf(request)
    label, leading = await run_in_threadpool(shelf.screen, f"/{path}")
    if not leading:
        return _page(missing_page(_looks(request)), 404)
    return _page(screen_page(label, leading, _looks(request)))


def _shelf(request: Request) -> Shelf:
    state = request.app.state
    if not hasattr(state, "shelf"):
        state.shelf = Shelf(open_store(state.desk.settings))
    shelf: Shelf = state.shelf
    return shelf


def _looks(request: Request) -> Looks:
    asked = request.query_params
    lang = "en" if asked.get("lang") == "en" else "fr"
    theme = asked.get("theme", "")
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return Looks(root, lang, theme if theme in {"light", "dark"} else "")


def _page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers={"Cache-Control": "no-cache"})


@cache
def _style() -> bytes:
    return files("rag.server").joinpath("static", "demo.css").read_bytes()
