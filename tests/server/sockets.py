"""Clients of the WebSocket: one that is polite, and one that speaks bytes."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.server.running import Running

WAIT_S = 30.0
QUESTION = "Comment créer un client ?"


class Asker:
    """Speak to the server as the widget does."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, type: str, **fields: Any) -> None:  # noqa: A002
        """Send a message."""
        self.connection.send(json.dumps({"type": type, **fields}))

    def ask(self, content: str = QUESTION, conversation: str = "123", **fields: Any) -> None:
        """Send a question."""
        self.send("message", conversation_id=conversation, content=content, **fields)

    def next(self, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Return the next message. Raises: TimeoutError."""
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=timeout_s))
        return message

    def until(self, *types: str) -> list[dict[str, Any]]:
        """Return the messages up to one of these types; an error or a complete one by default."""
        messages = [self.next()]
        while messages[-1]["type"] not in (types or ("message_complete", "error")):
            messages.append(self.next())
        return messages

    def reset(self) -> None:
        """Break the connection off, without a word."""
        sock = self.connection.socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)  # the library's thread lets go of it
        sock.close()


@contextmanager
def asking(running: Running, **options: Any) -> Iterator[Asker]:
    """Open a WebSocket from a page of the server's own."""
    options.setdefault("origin", running.url)
    with connect(running.socket_url, compression=None, close_timeout=2, **options) as connection:
        yield Asker(connection)


def raw_socket(running: Running, *, shake_hands: bool = True) -> socket.socket:
    """Connect without a library; with the handshake done, frames may follow."""
    address = urlsplit(running.url)
    sock = socket.create_connection((address.hostname, address.port), WAIT_S)
    if shake_hands:
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET /ws/ai_assistant/ HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: {running.url}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        assert b" 101 " in head.split(b"\r\n")[0], head
    return sock


def frame(data: bytes, opcode: int = 1, *, final: bool = True, length: int | None = None) -> bytes:
    """Return a client's frame, masked with zeros; ``length`` may lie."""
    length = len(data) if length is None else length
    head = bytes([opcode | (0x80 if final else 0)])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65_536:
        head += bytes([0x80 | 126]) + struct.pack("!H", length)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", length)
    return head + b"\0\0\0\0" + data


def close_code(sock: socket.socket) -> int | None:
    """Read frames until the server says that it closes; return its code, None when it hangs up."""
    data = b""
    while piece := _received(sock):
        data += piece
        while len(data) >= 4:
            opcode, length, start = data[0] & 15, data[1], 2
            if length == 126:
                length, start = struct.unpack("!H", data[2:4])[0], 4
            if opcode == 8:
                return int(struct.unpack("!H", data[start : start + 2])[0])
            if len(data) < start + length:
                break
            data = data[start + length :]
    return None


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65_536)
    except ConnectionResetError:
        return b""
