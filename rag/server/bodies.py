"""How much a request may send, how deep, and how slowly: refused while it is read, unparsed.

What is read is handed on in one piece; from then on the application hears of the client's leaving
as it would without this.
"""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.server.problems import Problem, problem_response
from rag.server.settings import BODY_S, DEEPEST_JSON, MOST_BODY_BYTES, MOST_CHAT_BYTES

CHAT_PATH = "/v1/chat/completions"
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one that never ends is one
BRACKETS = re.compile(rb"[\[{]|[\]}]")
JSON_TYPES = re.compile(r"application/(?:[\w.-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


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
