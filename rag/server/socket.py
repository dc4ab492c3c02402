"""The WebSocket of the widget: who may open it, and how its connection is served.

Frames are JSON text. A client sends

- ``{type: "message", conversation_id, content, page?, title?}``
- ``{type: "stop", conversation_id}``
- ``{type: "resume", conversation_id, after, series?, waiting?}``: the messages numbered above
  ``after``; ``waiting``: for an answer, so that ``unknown_conversation`` says when none will come
- ``{type: "warm"}``

and is sent ``message_sources``, ``message_chunk`` …, ``message_complete`` or ``error``, numbered by
``seq`` in their conversation: 1, 2, 3… over its questions, anew with another ``series`` where
another process answers. An error without them refuses a frame.
Chunks joined are the complete message's content, unless it has a reason, answers nothing or was
stopped: its content then replaces them. A conversation whose id has fewer than 16 characters is
known to its connection alone.
"""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.responses import Response

from rag.server.connections import Connection
from rag.server.hub import Hub, hub_of
from rag.server.keys import caller_allowed, subprotocol
from rag.server.limits import client_of
from rag.server.metrics import open_websocket
from rag.server.origins import origin_allowed
from rag.server.protocols import LINE, Line

PATH = "/ws/ai_assistant/"
router = APIRouter()


@router.websocket(PATH)
async def help_socket(websocket: WebSocket) -> None:
    """Answer questions over a WebSocket."""
    hub = hub_of(websocket.app)
    status = _refusal(websocket, hub)
    if status is not None:
        await _deny(websocket, status)
        return
    client = client_of(websocket.scope)
    line: Line | None = websocket.scope.get("extensions", {}).get(LINE)
    name = secrets.token_hex(16)
    connection = Connection(websocket, hub, name, line.abort if line else None)
    hub.join(connection, client)
    if line is not None:
        line.on_leave = hub.leave
    try:
        await websocket.accept(subprotocol(websocket.headers))
        with open_websocket():
            await connection.serve()
    finally:
        hub.part(connection, client)


def _refusal(websocket: WebSocket, hub: Hub) -> int | None:
    """Return the HTTP status that refuses a handshake, None if it is accepted."""
    settings = websocket.app.state.doors.settings
    headers, scope = websocket.headers, websocket.scope
    if not origin_allowed(settings, headers.get("origin"), headers.get("host"), scope["scheme"]):
        return 403
    if not caller_allowed(settings, headers):
        return 401
    return hub.full(websocket)


async def _deny(websocket: WebSocket, status: int) -> None:
    extensions: dict[str, Any] = websocket.scope.get("extensions", {})
    if "websocket.http.response" in extensions:
        await websocket.send_denial_response(Response(status_code=status))
    else:
        await websocket.close()
