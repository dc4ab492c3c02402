"""What clients of the server do: get, ask, read a stream of events, hang up."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

QUESTION = "Comment créer un client ?"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """Hold one server-sent event; ``name`` is empty for a comment."""

    name: str
    number: int
    data: dict[str, Any]


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Return an address's status and its body, read as JSON where it is."""
    return _opened(urllib.request.Request(url, headers=dict(headers or {})))


def ask(url: str, question: str = QUESTION, **more: object) -> tuple[int, Any]:
    """Ask; return the status and the body."""
    body = json.dumps({"question": question, **more}).encode()
    headers = {"Content-Type": "application/json"}
    return _opened(urllib.request.Request(f"{url}/api/help/query", body, headers))


@contextmanager
def asking(
    url: str, question: str = QUESTION, path: str = "/api/help/stream", **more: object
) -> Iterator[http.client.HTTPConnection]:
    """Send a question and hang up at the end; nothing is read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        body = json.dumps({"question": question, **more})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        yield connection
    finally:
        connection.close()


def events(response: http.client.HTTPResponse) -> Iterator[Event]:
    """Yield the events of a stream as they come."""
    name, number = "", 0
    for line in response:
        kind, _, value = line.decode().rstrip("\n").partition(": ")
        if kind == "event":
            name = value
        elif kind == "id":
            number = int(value)
        elif kind == "data":
            yield Event(name, number, json.loads(value))


def _opened(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, _read(response.read(), response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _read(error.read(), error.headers)


def _read(body: bytes, headers: Any) -> Any:
    return json.loads(body) if "json" in headers.get_content_type() else body.decode()
