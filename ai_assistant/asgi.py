"""The WebSocket: ``application = with_help(get_asgi_application())`` in the site's ``asgi.py``."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse, set_script_prefix
from django.utils import translation

from ai_assistant.serving import Application, Message, Receive, Send, Serving, close, drain, opened
from ai_assistant.views import HANDSHAKE
from rag.core.errors import HelpError

logger = logging.getLogger(__name__)
SOCKET_PATH = "/ws/ai_assistant/"
SCHEMES = {"ws": "http", "wss": "https"}
KEPT_BACK = {b"cookie", b"host", b"origin", b"referer"}
SHARED = ("asgi", "client", "server", "root_path")
NOT_OF_HTTP = {b"connection", b"upgrade"}
Headers = list[tuple[bytes, bytes]]
_served = False


def with_help(application: Application) -> Application:
    """Return the site's application with the help desk's WebSocket at ``/ws/ai_assistant/``.

    It also answers the server's lifespan, which Django does not: the desk is opened at start, and
    answers under way end before the process does.
    """
    global _served  # noqa: PLW0603 (what the template tag asks of the process)
    _served = True

    async def routed(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket" and _path_in(scope) == SOCKET_PATH:
            await _converse(application, scope, receive, send)
        else:
            await application(scope, receive, send)

    return routed


def socket_served() -> bool:
    """Say whether this process serves the WebSocket."""
    return _served


async def _lifespan(receive: Receive, send: Send) -> None:
    from rag.server.protocols import draining

    await receive()
    try:
        await opened()
    except HelpError as error:  # the site lives without its help; the next question tries again
        logger.error("%s", error)
    with draining(drain):
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await asyncio.to_thread(close)
    await send({"type": "lifespan.shutdown.complete"})


async def _converse(
    application: Application, scope: dict[str, Any], receive: Receive, send: Send
) -> None:
    """Let a WebSocket in that the site lets in, and hand it to the help desk."""
    origin = await _judged(application, scope)
    try:
        desk = await opened() if origin else None
    except HelpError as error:
        logger.error("%s", error)
        desk = None
    if desk is None or origin is None:
        await receive()  # its opening
        await send({"type": "websocket.close"})  # before it was accepted: HTTP 403
        return
    await _bridged(desk, _inner_scope(scope, origin), receive, send)


async def _judged(application: Application, scope: dict[str, Any]) -> str | None:
    """Return the site's origin if its middleware and its rules let the handshake in, else None.

    They see a GET of the view `handshake`, with the handshake's own cookies and headers.
    """
    try:
        path = _handshake_path(scope)
    except NoReverseMatch:
        logger.error("The urls of ai_assistant are not included: see `manage.py check`.")
        return None
    found: dict[str, str] = {}
    read: list[bool] = []
    status = 0

    async def receive() -> Message:
        if read:  # what Django waits for beside its view is the client's leaving
            await asyncio.Event().wait()
        read.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    http: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": SCHEMES.get(scope.get("scheme", "ws"), "http"),
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [pair for pair in scope["headers"] if pair[0].lower() not in NOT_OF_HTTP],
        HANDSHAKE: found,
    }
    http |= {name: scope[name] for name in SHARED if name in scope}
    await application(http, receive, send)
    return found.get("origin") if status == 204 else None


def _handshake_path(scope: dict[str, Any]) -> str:
    """Return the view's address in the language of those who say none. Raises: NoReverseMatch.

    Among `i18n_patterns` it begins with a language, and "en-us", which stands in the settings, is
    not always one that the site's addresses have.
    """
    set_script_prefix(_prefix(scope))  # as Django does with each request
    with translation.override(translation.get_language_from_request(HttpRequest())):
        return reverse("ai_assistant:handshake")


def _inner_scope(scope: dict[str, Any], origin: str) -> dict[str, Any]:
    """Return the scope with what Django has judged in the place of what the client said."""
    scheme, _, host = origin.partition("://")
    headers: Headers = [pair for pair in scope["headers"] if pair[0].lower() not in KEPT_BACK]
    headers.append((b"host", host.encode("latin-1")))
    if any(name.lower() == b"origin" for name, _ in scope["headers"]):
        headers.append((b"origin", origin.encode("latin-1")))
    return {
        **{name: value for name, value in scope.items() if name not in {"state", "app"}},
        "headers": headers,
        "scheme": "wss" if scheme == "https" else "ws",
        "path": SOCKET_PATH,
        "raw_path": SOCKET_PATH.encode(),
        "root_path": "",
        "client": tuple(scope.get("client") or ("127.0.0.1", 0)),
    }


async def _bridged(desk: Serving, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Run the application on its own loop; its receive and send run on this one."""
    here = asyncio.get_running_loop()

    async def receiving() -> Message:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(received(), here))

    async def received() -> Message:
        return await receive()

    async def sending(message: Message) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sent(message), here))

    async def sent(message: Message) -> None:
        await send(message)

    async def conversing() -> None:
        await desk.app(scope, receiving, sending)

    await desk.run(conversing())


def _path_in(scope: dict[str, Any]) -> str:
    path: str = scope["path"]
    return path.removeprefix(_prefix(scope).rstrip("/"))


def _prefix(scope: dict[str, Any]) -> str:
    """Return what the site's addresses begin with, as Django sees it."""
    return str(settings.FORCE_SCRIPT_NAME or scope.get("root_path", ""))
