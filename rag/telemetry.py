"""Traces for OpenTelemetry: what each answer took, step by step, without a word of it.

Names follow the semantic conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/). Spans are made when an answer has ended,
from its own timings: who asks waits for none of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rag.core.answers import Answer
from rag.core.errors import ConfigError, needs_extra
from rag.outcomes import Outcome

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

ASKED_FOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
TEXTS = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SERVICE = "souffleur"
Attributes = Mapping[str, Any]


class Traces:
    """Export one trace an answer to where OpenTelemetry's own variables say."""

    def __init__(self) -> None:
        self._provider = _open_provider()
        self._tracer = self._provider.get_tracer(SERVICE)
        self._texts = os.environ.get(TEXTS, "").lower() in {"1", "true"}

    def note(self, outcome: Outcome) -> None:
        """Make the spans of an answer; they are sent in the background."""
        end = time.time_ns()
        start = end - int(outcome.total_s * 1e9)
        answer = outcome.served.answer if outcome.served else None
        root = _Span(self._tracer, start)
        with root.open("ask", 0.0, outcome.total_s * 1000, self._about(outcome, answer)) as child:
            if answer is not None:
                _steps(child, answer)

    def close(self) -> None:
        """Send what has not been sent, for a few seconds at most."""
        self._provider.shutdown()

    def _about(self, outcome: Outcome, answer: Answer | None) -> dict[str, Any]:
        about: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": SERVICE,
            "souffleur.channel": outcome.channel,
        }
        if outcome.error is not None:
            about["error.type"] = type(outcome.error).__name__
        if outcome.first_text_s is not None:
            about["souffleur.first_text_s"] = round(outcome.first_text_s, 4)
        if answer is not None:
            about |= {
                "souffleur.answered": answer.answered,
                "souffleur.degraded": answer.degraded,
                "souffleur.cached": answer.cached or "",
                "souffleur.page": answer.page_effective or "",
            }
            if self._texts:
                about |= {"souffleur.question": outcome.question, "souffleur.answer": answer.text}
        return about


def open_traces() -> Traces | None:
    """Open what exports traces, None when the environment names no place for them.

    Raises: ConfigError when it does and the extra is not installed.
    """
    if not any(os.environ.get(name) for name in ASKED_FOR):
        return None
    try:
        return Traces()
    except ImportError:
        raise ConfigError(needs_extra(f"{ASKED_FOR[0]} is set, which", "telemetry")) from None


class _Span:
    """Make spans of one trace by their offsets in milliseconds."""

    def __init__(self, tracer: Tracer, start_ns: int, parent: Any = None) -> None:
        self._tracer = tracer
        self._start_ns = start_ns
        self._parent = parent

    @contextmanager
    def open(self, name: str, from_ms: float, to_ms: float, about: Attributes) -> Iterator[_Span]:
        """Make a span, and lend what makes those inside it."""
        from opentelemetry.trace import set_span_in_context

        span = self._tracer.start_span(
            name, context=self._parent, start_time=self._at(from_ms), attributes=dict(about)
        )
        yield _Span(self._tracer, self._start_ns, set_span_in_context(span))
        span.end(self._at(max(from_ms, to_ms)))

    def _at(self, offset_ms: float) -> int:
        return self._start_ns + int(offset_ms * 1e6)


def _steps(spans: _Span, answer: Answer) -> None:
    """Make a span for each step that an answer went through: cache, encode, retrieve, generate."""
    timings = answer.timings
    total_ms, cache_ms = timings.get("total_ms", 0.0), timings.get("cache_ms", 0.0)
    if cache_ms or answer.cached:
        hit = {"souffleur.cache.hit": answer.cached or "none"}
        with spans.open("cache", 0.0, total_ms if answer.cached else cache_ms, hit):
            pass
    if answer.cached or "search_ms" not in timings:
        return
    search_ms, encode_ms = timings["search_ms"], timings.get("encode_ms", 0.0)
    found = {
        "gen_ai.operation.name": "retrieval",
        "souffleur.legs": list(answer.legs),
        "souffleur.hits": len(answer.retrieved),
    }
    with spans.open("retrieve", cache_ms, search_ms, found) as inside:
        if encode_ms:
            about = {"gen_ai.operation.name": "embeddings"}
            with inside.open("encode", cache_ms, cache_ms + encode_ms, about):
                pass
    if answer.model:
        with spans.open(f"chat {answer.model}", search_ms, total_ms, _generation(answer)):
            pass


def _generation(answer: Answer) -> dict[str, Any]:
    about: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": answer.model,
        "gen_ai.request.stream": True,
        "souffleur.truncated": answer.truncated,
        "souffleur.unsupported": answer.unsupported,
    }
    first_ms = answer.timings.get("first_token_ms")
    if first_ms is not None:
        waited_ms = first_ms - answer.timings.get("search_ms", 0.0)
        about["gen_ai.response.time_to_first_chunk"] = round(waited_ms / 1000, 4)
    if answer.usage is not None:
        about |= {
            "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": answer.usage.output_tokens,
            "gen_ai.response.finish_reasons": [answer.usage.ended],
        }
    return about


def _open_provider() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", SERVICE)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=5)))
    return provider
