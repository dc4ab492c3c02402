"""A server that speaks OpenAI's /embeddings, and deals its answer out of order."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy


def vector(text: str, dimension: int) -> list[float]:
    """Return a vector that follows from the text, its length far from 1."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return (numpy.random.default_rng(seed).normal(size=dimension) * 7).tolist()


class EmbeddingsServer:
    """Answer with ``own_dimension`` numbers, or with as many as were asked for."""

    def __init__(self, own_dimension: int | None = None, *, takes_dimensions: bool = True) -> None:
        self.own_dimension = own_dimension
        self.takes_dimensions = takes_dimensions
        self.requests: list[dict] = []
        self.keys: list[str] = []
        self.url = ""

    def answer(self, asked: dict) -> tuple[int, dict]:
        if "dimensions" in asked and not self.takes_dimensions:
            message = "This model does not support specifying dimensions."
            return 400, {"error": {"message": message, "type": "invalid_request_error"}}
        dimension = self.own_dimension or asked.get("dimensions", 1536)
        rows = [
            {"object": "embedding", "index": i, "embedding": vector(text, dimension)}
            for i, text in enumerate(asked["input"])
        ]
        return 200, {"object": "list", "model": asked["model"], "data": rows[::-1], "usage": {}}

    @contextmanager
    def running(self) -> Iterator[EmbeddingsServer]:
        """Serve on a port of this machine until the end of the block."""
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ours.requests.append(asked)
                ours.keys.append(self.headers.get("Authorization", ""))
                status, body = ours.answer(asked)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()
