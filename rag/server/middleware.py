"""How often a client may ask, and how much it may send: refused while it is read, unparsed.

A moving window for each address counts questions, for HTTP and WebSocket alike. A body that is read
is handed on in one piece; from then on the application hears of the client's leaving as it would
without this.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import Mapping
from typing import Any

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.server.problems import Problem, problem_response
from rag.server.settings import (
    BODY_S,
    DEEPEST_JSON,
    MOST_BODY_BYTES,
    MOST_CHAT_BYTES,
    NO_LIMIT,
    ServerSettings,
)

IPV6_BITS = 64  # one customer gets at least so many addresses
CHAT_PATH = "/v1/chat/completions"
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one that never ends is one
BRACKETS = re.compile(rb"[\[{]|[\]}]")
JSON_TYPES = re.compile(r"application/(?:[\w.-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


class Limiter:
    """Count what clients ask; one for a process, at ``app.state.doors.limiter``."""

    def __init__(self, settings: ServerSettings) -> None:
        text = settings.rate_limit
        self._limits = [] if text == NO_LIMIT else parse_many(text)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, client: str) -> bool:
        """Count one question of a client (see `client_of`); say whether it may be asked."""
        if not all(self._window.test(limit, client) for limit in self._limits):
            return False
        counted = [self._window.hit(limit, client) for limit in self._limits]
        return all(counted)

    def retry_after_s(self, client: str) -> int:
        """Return in how many seconds, at least 1, a client may ask again."""
        full = [limit for limit in self._limits if not self._window.test(limit, client)]
        ends = [self._window.get_window_stats(limit, client).reset_time for limit in full]
        return max(1, math.ceil(max(ends, default=0.0) - time.time()))


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the client that is counted: an IPv4 address, or the /64 of an IPv6 one.

    The server has put the address there that its trusted proxies name, if any.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket: all its clients are one
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(address), IPV6_BITS), strict=False))
        return str(address.ipv4_mapped)
    return str(address)


class BoundedBodies:
    """Read the body of each request within the bounds, or answer 408, 413, 415 or 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body read."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or not _has_body(headers):
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(headers, receive, _most(scope["path"])), BODY_S)
            _check(headers, body)
        except ConnectionResetError:
            return  # nobody is there to be answered
        except (Problem, TimeoutError) as error:
            problem = error if isinstance(error, Problem) else Problem(408, "slow")
            problem.headers["Connection"] = "close"
            language = headers.get("accept-language", "")
            await problem_response(problem, scope["path"], language)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)


def depth(body: bytes) -> int:
    """Return how deep lists and objects of a JSON text lie in each other."""
    deepest = level = 0
    for bracket in BRACKETS.finditer(STRINGS.sub(b"", body)):
        level += 1 if bracket[0] in (b"[", b"{") else -1
        deepest = max(deepest, level)
    return deepest


def _most(path: str) -> int:
    return MOST_CHAT_BYTES if path.endswith(CHAT_PATH) else MOST_BODY_BYTES


async def _read(headers: Headers, receive: Receive, most: int) -> bytes:
    """Return the whole body. Raises: Problem 413, ConnectionResetError when the client left."""
    said = headers.get("content-length", "0")
    if said.isdecimal() and (len(said) > 15 or int(said) > most):
        raise Problem(413, "too_long")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Problem(413, "too_long")
        if not message.get("more_body", False):
            return b"".join(parts)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check(headers: Headers, body: bytes) -> None:
    """Refuse what is no JSON, which pages elsewhere may send unasked, and what is too deep."""
    if not body:
        return
    if not JSON_TYPES.fullmatch(headers.get("content-type", "").strip()):
        raise Problem(415, "not_json")
    # no parser is asked, since deep ones end in their own recursion
    if body.count(b"[") + body.count(b"{") > DEEPEST_JSON and depth(body) > DEEPEST_JSON:
        raise Problem(400, "too_deep")


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
