"""The help desk behind the site's own addresses: what is asked there goes to this process's desk.

Each view hands its request to the server's application (`rag.server`), so that answers, limits and
errors are the same everywhere. What leaves Django is the question and where it comes from: no
cookie, no session, no user.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ai_assistant.access import is_own_page, may_ask, own_origin
from ai_assistant.exchange import Exchange
from ai_assistant.serving import Serving, opened
from rag.core.errors import HelpError

logger = logging.getLogger(__name__)
MOST_BYTES = 1_000_000  # of a body that is read at all; the application allows far less
# what Django has judged by itself (host, origin), or what is nobody's business there
KEPT_BACK = {"connection", "content-length", "cookie", "host", "origin", "referer", "x-csrftoken"}
DROPPED = {"connection", "content-length", "date", "server", "transfer-encoding"}
HANDSHAKE = "souffleur.handshake"  # where the scope says what was found out of a WebSocket's


async def help_query(request: HttpRequest) -> HttpResponseBase:
    """Answer a question as JSON."""
    return await _guarded(request, "/api/help/query")


async def help_stream(request: HttpRequest) -> HttpResponseBase:
    """Answer a question as server-sent events."""
    return await _guarded(request, "/api/help/stream")


async def help_feedback(request: HttpRequest) -> HttpResponseBase:
    """Take what an asker thinks of an answer."""
    return await _guarded(request, "/api/help/feedback")


async def widget(request: HttpRequest) -> HttpResponseBase:
    """Send the widget's script, which is nobody's secret."""
    return await _forwarded(request, "/widget.js")


async def handshake(request: HttpRequest) -> HttpResponse:
    """Judge a WebSocket's handshake, which came through the site's middleware as a request does.

    `ai_assistant.asgi` asks; over HTTP there is nothing here.
    """
    found = getattr(request, "scope", {}).get(HANDSHAKE)
    if found is None:
        raise Http404
    found["origin"] = own_origin(request)
    return HttpResponse(status=204 if is_own_page(request) and await may_ask(request) else 403)


# their origin is looked at instead: a page that was cached holds no token that is still good
for view in (help_query, help_stream, help_feedback):
    view.csrf_exempt = True  # type: ignore[attr-defined]
widget.login_required = False  # type: ignore[attr-defined] # LoginRequiredMiddleware asks


async def _guarded(request: HttpRequest, path: str) -> HttpResponseBase:
    if not is_own_page(request):
        return _problem(request, 403, "forbidden")
    if not await may_ask(request):
        return _problem(request, 403, "refused")
    return await _forwarded(request, path)


async def _forwarded(request: HttpRequest, path: str) -> HttpResponseBase:
    """Ask the application; a client that leaves ends what is done for it."""
    body = request.read(MOST_BYTES)
    try:
        desk = await opened()
    except HelpError as error:
        logger.error("%s", error)
        return _problem(request, 503, "unavailable")
    exchange = Exchange(desk.app, _scope_of(request, path, len(body)), body)
    try:
        status, headers = await desk.run(exchange.start())
        if dict(headers).get("content-type", "").startswith("text/event-stream"):
            return _respond(_streamed(request, desk, exchange, status), headers)
        return _respond(HttpResponse(await desk.run(exchange.rest()), status=status), headers)
    except asyncio.CancelledError:
        desk.start(exchange.end())
        raise


def _streamed(
    request: HttpRequest, desk: Serving, exchange: Exchange, status: int
) -> StreamingHttpResponse:
    """Return a response whose body comes as it is written, under WSGI and under ASGI."""

    def pieces() -> Iterator[bytes]:
        try:
            while (piece := desk.start(exchange.next()).result()) is not None:
                yield piece
        finally:
            desk.start(exchange.end())

    async def pieces_without_thread() -> AsyncIterator[bytes]:
        try:
            while (piece := await desk.run(exchange.next())) is not None:
                yield piece
        finally:
            desk.start(exchange.end())

    under_asgi = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(pieces_without_thread() if under_asgi else pieces(), status=status)


def _respond(response: HttpResponseBase, headers: list[tuple[str, str]]) -> HttpResponseBase:
    del response.headers["Content-Type"]
    for name, text in headers:
        if name.lower() not in DROPPED:
            before = response.headers.get(name)
            response.headers[name] = f"{before}, {text}" if before else text
    return response


def _scope_of(request: HttpRequest, path: str, length: int) -> dict[str, Any]:
    """Return a request as the application reads it. Raises: DisallowedHost."""
    meta = request.META
    kept = {name.lower(): text for name, text in request.headers.items()}
    kept = {name: text for name, text in kept.items() if name not in KEPT_BACK}
    kept |= {"host": request.get_host(), "content-length": str(length)}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": meta.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "headers": [
            (name.encode("latin-1", "replace"), text.encode("latin-1", "replace"))
            for name, text in kept.items()
        ],
        # a Unix socket has no address: who is at its other end is a proxy of this machine
        "client": (meta.get("REMOTE_ADDR") or "127.0.0.1", 0),
        "server": (meta.get("SERVER_NAME", ""), int(meta.get("SERVER_PORT") or 0)),
    }


def _problem(request: HttpRequest, status: int, code: str) -> HttpResponse:
    from rag.server.problems import MEDIA_TYPE, Problem, problem_response

    language = request.headers.get("Accept-Language", "")
    told = problem_response(Problem(status, code), request.path, language)
    return HttpResponse(told.body, status=status, content_type=MEDIA_TYPE)
