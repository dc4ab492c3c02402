"""What Prometheus reads at /metrics; with several processes, of all of them together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from rag.core.errors import QuestionRefused, ServiceStopping
from rag.desk import HelpDesk, Outcome
from rag.messages import code_of
from rag.server.keys import require_admin

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 30, 60)
router = APIRouter(tags=["operation"])
registry = CollectorRegistry()
QUESTIONS = Counter(
    "souffleur_questions",
    "Questions by what came of them: written, kept, extract, unanswered, stopped, refused, failed",
    ["channel", "result"],
    registry=registry,
)
ANSWER_SECONDS = Histogram(
    "souffleur_answer_seconds",
    "From question to last word, of answers that were given",
    ["result"],
    buckets=SECONDS,
    registry=registry,
)
FIRST_TEXT_SECONDS = Histogram(
    "souffleur_first_text_seconds",
    "From question to something to read, the extract included",
    buckets=SECONDS,
    registry=registry,
)
CACHE_HITS = Counter(
    "souffleur_cache_hits",
    "Answers that were kept, for the same question or for one of its meaning",
    ["kind"],
    registry=registry,
)
DEGRADED = Counter(
    "souffleur_degraded", "Answers without the model, by why", ["reason"], registry=registry
)
DROPPED = Counter(
    "souffleur_unsupported_sentences",
    "Sentences of the model that no page supports, left out",
    registry=registry,
)
TOKENS = Counter(
    "souffleur_model_tokens", "Tokens read and written", ["model", "kind"], registry=registry
)
IN_PROGRESS = Gauge(
    "souffleur_answers_in_progress",
    "Answers under way",
    registry=registry,
    multiprocess_mode="livesum",
)
WEBSOCKETS = Gauge(
    "souffleur_websockets_open", "WebSockets", registry=registry, multiprocess_mode="livesum"
)
if MULTIPROCESS not in os.environ:
    ProcessCollector(registry=registry)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(_: Annotated[None, Depends(require_admin)]) -> Response:
    """Return the figures in Prometheus' text format."""
    return Response(generate_latest(_everyones()), media_type=CONTENT_TYPE_LATEST)


def watch(desk: HelpDesk) -> None:
    """Count what a help desk answers."""
    desk.listeners.append(note)
    desk.watchers.append(IN_PROGRESS.set)


def note(outcome: Outcome) -> None:
    """Count what came of a question."""
    result = result_of(outcome)
    QUESTIONS.labels(outcome.channel, result).inc()
    if outcome.served is None:
        return
    answer = outcome.served.answer
    ANSWER_SECONDS.labels(result).observe(outcome.total_s)
    if outcome.first_text_s is not None:
        FIRST_TEXT_SECONDS.observe(outcome.first_text_s)
    if answer.cached:
        CACHE_HITS.labels(answer.cached).inc()
        return
    if answer.degraded:
        DEGRADED.labels(code_of(answer.reason) or "other").inc()
    DROPPED.inc(answer.unsupported)
    if answer.usage and answer.model:
        TOKENS.labels(answer.model, "prompt").inc(answer.usage.prompt_tokens)
        TOKENS.labels(answer.model, "output").inc(answer.usage.output_tokens)


def result_of(outcome: Outcome) -> str:
    """Return in one word what came of a question."""
    if isinstance(outcome.error, QuestionRefused | ServiceStopping):
        return "refused"
    if outcome.error is not None:
        return "failed"
    if outcome.served is None:
        return "stopped"
    answer = outcome.served.answer
    if answer.cached:
        return "kept"
    if not answer.answered:
        return "unanswered"
    return "written" if answer.model else "extract"


@contextmanager
def open_websocket() -> Iterator[None]:
    """Count a WebSocket as open inside."""
    WEBSOCKETS.inc()
    try:
        yield
    finally:
        WEBSOCKETS.dec()


def _everyones() -> CollectorRegistry:
    """Return what to show: this process's figures, or those of all workers."""
    folder = os.environ.get(MULTIPROCESS)
    if folder is None:
        return registry
    for file in Path(folder).glob("gauge_live*_*.db"):  # a worker that was killed leaves its own
        with suppress(ValueError):
            pid = int(file.stem.rpartition("_")[2])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
    return together
