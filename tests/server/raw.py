"""A client that says exactly what a test has it say."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Said:
    """Hold what a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


def connect(url: str) -> socket.socket:
    """Open a connection to a server."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)


def read(client: socket.socket) -> Said:
    """Read one response."""
    response = HTTPResponse(client)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    said = Said(response.status, headers, response.read())
    response.close()
    return said


def send(url: str, *pieces: bytes) -> Said:
    """Send these bytes as they are, and read the response."""
    with connect(url) as client:
        for piece in pieces:
            client.sendall(piece)
        return read(client)


def ask(
    url: str, path: str, body: Any = None, method: str = "", host: str = "", **headers: str
) -> Said:
    """Send a request; ``body`` is sent as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = {"Host": host or urlsplit(url).netloc, "Connection": "close"}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return send(url, f"{head}\r\n".encode("latin-1") + data)
