"""A server in front of Elasticsearch that spoils the answers to some bulk requests."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

ITEM = 14  # the eighth page's chunk, when each page has one chunk and its record


class Proxy:
    """Pass requests on; ``faults`` are used up one by one by bulk requests."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: list[str] = []
        self.status = 0
        self.requests = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, kind, answer = proxy.answer(self, body)
                self.send_response(status)
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Type", kind)
                cut = len(answer) // 2 if answer.endswith(b"CUT") else 0
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer[:cut] if cut else answer)
                self.close_connection = bool(cut)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        self.requests += 1
        if self.status:
            return self.status, "application/json", b"{}"
        is_bulk = "/_bulk" in request.path
        fault = self.faults.pop(0) if is_bulk and self.faults else ""
        if fault == "whole 503":
            return 503, "application/json", b'{"error": {"type": "unavailable", "reason": "busy"}}'
        kept = {"content-type", "accept"}
        headers = {k: v for k, v in request.headers.items() if k.lower() in kept}
        forwarded = urllib.request.Request(
            self.target + request.path, body or None, headers, method=request.command
        )
        try:
            with urllib.request.urlopen(forwarded) as reply:
                status, kind, answer = reply.status, reply.headers["content-type"], reply.read()
        except urllib.error.HTTPError as error:
            with error:
                status, kind, answer = error.code, error.headers["content-type"], error.read()
        return status, kind or "application/json", spoil(answer, fault)

    def __enter__(self) -> Proxy:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def spoil(answer: bytes, fault: str) -> bytes:
    if fault == "cut off":
        return answer + b" " * 10 + b"CUT"
    if not fault.startswith("item"):
        return answer
    said = json.loads(answer)
    (result,) = said["items"][min(ITEM, len(said["items"]) - 1)].values()
    refused = fault == "item refused"
    result["status"] = 400 if refused else 429
    kind = "mapper_parsing_exception" if refused else "es_rejected_execution_exception"
    result["error"] = {"type": kind, "reason": "said the proxy"}
    said["errors"] = True
    return json.dumps(said).encode()
