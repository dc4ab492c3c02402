"""What is exported of an answer: a trace to a real OTLP collector's door, and the log as JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.commands import souffleur
from tests.office import FAST
from tests.office import serving as office
from tests.scripted import wait_until
from tests.server.calls import ask
from tests.server.running import serving

QUESTION = "Comment créer un client ?"


class Collector:
    """Take spans over HTTP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.raw = b""


@pytest.fixture
def collector() -> Iterator[tuple[str, Collector]]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            found.raw += body
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", found
    server.shutdown()
    server.server_close()
    thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value for one in span.attributes}


def test_an_answer_is_a_trace_of_its_steps_without_its_words(
    collector: tuple[str, Collector],
) -> None:
    endpoint, found = collector
    with (
        office(FAST) as (model, _),
        serving(
            OLLAMA_URL=model, HELP_MODEL="phi3:mini", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint
        ) as server,
    ):
        ask(server.url, QUESTION)
        ask(server.url, QUESTION)
        assert server.stop() == 0
    assert wait_until(lambda: len(found.spans) >= 6, 10)
    roots = [span for span in found.spans if not span.parent_span_id]
    assert [root.name for root in roots] == ["ask", "ask"]
    first, second = (
        [span for span in found.spans if span.trace_id == root.trace_id] for root in roots
    )
    assert {"ask", "cache", "retrieve", "encode", "chat phi3:mini"} == {one.name for one in first}
    assert {"ask", "cache"} == {one.name for one in second}
    chat = attributes(next(span for span in first if span.name.startswith("chat")))
    assert chat["gen_ai.usage.output_tokens"].int_value > 0
    assert chat["gen_ai.response.time_to_first_chunk"].double_value >= 0
    for span in first:
        assert roots[0].start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= roots[0].end_time_unix_nano + 50_000_000
    assert "créer un client".encode() not in found.raw


def test_a_collector_that_is_away_delays_no_answer_and_no_stop() -> None:
    with serving(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as server:
        status, body = ask(server.url, QUESTION)
        assert (status, body["answered"]) == (200, True)
        assert server.stop() == 0


def test_the_log_can_be_json(tmp_path: Path) -> None:
    done = souffleur("--debug", "search", "client", HELP_LOG_FORMAT="json", HELP_DATA_DIR=tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in lines)
    assert done.returncode == 2
