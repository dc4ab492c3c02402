"""Is the process alive, can it answer, and what came of questions: for operators and Prometheus.

With several processes, the figures at /metrics are of all of them together.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
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
from pydantic import BaseModel, Field

from rag.core.answers import Answer
from rag.core.deadline import bounded
from rag.core.errors import (
    HelpError,
    IndexFault,
    IndexMissing,
    QuestionRefused,
    SearchUnavailable,
    ServiceStopping,
)
from rag.core.invocation import index_command, rebuild_command
from rag.desk import HelpDesk, Outcome
from rag.language.messages import code_of
from rag.server.security import require_admin

CHECK_S = 0.7  # each check runs at the same time as the others
INDEX_AGE_S = 1.0  # a check's result serves all who ask meanwhile
MODEL_AGE_S = 5.0
CONNECT_S = 0.4
OLLAMA_PORT = 11_434
SILENT = "The search store does not answer. Start it, or correct ELASTICSEARCH_URL."
NO_MODEL = "The language model's server does not answer. Start it, or correct its address."
MODEL_OFF = "Switched off by HELP_DEGRADED_MODE."
STOPPING = "The process is about to end."
router = APIRouter(tags=["operation"])
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 30, 60)
registry = CollectorRegistry()
QUESTIONS = Counter(
    "souffleur_questions",
    "Questions by what came of them: written, kept, extract, talk, unanswered, stopped, refused,"
    " failed",
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


class Alive(BaseModel):
    """Say that the process answers."""

    status: str = Field(examples=["ok"])


class Check(BaseModel):
    """Say how one thing is that answers need."""

    ok: bool
    detail: str = Field("", description="What is wrong, and the command that cures it")


class Ready(BaseModel):
    """Say whether questions are answered."""

    ready: bool = Field(description="Whether questions are answered")
    degraded: bool = Field(description="Whether answers are extracts, without the model")
    checks: dict[str, Check]


@router.get("/healthz", response_model=Alive, summary="Is the process alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process does, whatever it depends on."""
    return {"status": "ok"}


@router.get(
    "/readyz", response_model=Ready, responses={503: {"model": Ready}}, summary="Can it answer"
)
async def readyz(request: Request) -> JSONResponse:
    """Say whether questions are answered, and what is missing; within a second."""
    checks = await checks_of(request.app.state.desk)
    needed = ("process", "index", "search")
    ready = all(checks[name]["ok"] for name in needed)
    body = {"ready": ready, "degraded": not checks["model"]["ok"], "checks": checks}
    return JSONResponse(body, 200 if ready else 503, {"Cache-Control": "no-store"})


async def lacks(desk: HelpDesk) -> list[str]:
    """Return what is missing, a line each."""
    checks = await checks_of(desk)
    return [check["detail"] for check in checks.values() if not check["ok"]]


async def checks_of(desk: HelpDesk) -> dict[str, dict[str, Any]]:
    """Return what answers depend on, each with ``ok`` and what is wrong with it."""
    index, model = await asyncio.gather(
        _checks.get("index", INDEX_AGE_S, desk, _check_index),
        _checks.get("model", MODEL_AGE_S, desk, _check_model),
    )
    found = index[0] not in (SILENT,)
    return {
        "process": _check("" if not desk.stopping else STOPPING),
        "settings": _check(desk.settings_fault),
        "index": _check(index[0] if found else ""),
        "search": _check("" if found else SILENT),
        "model": {"ok": model[1], "detail": model[0]},
    }


def _check(fault: str) -> dict[str, Any]:
    return {"ok": not fault, "detail": fault}


Result = tuple[str, bool]


class _Checks:
    """Keep what was found for a while, so that asking often asks nobody else often."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], tuple[float, asyncio.Task[Result]]] = {}

    async def get(
        self,
        name: str,
        age_s: float,
        desk: HelpDesk,
        check: Callable[[HelpDesk], Awaitable[Result]],
    ) -> Result:
        key, now = (name, id(desk)), time.monotonic()
        at, task = self._found.get(key, (0.0, None))
        if task is None or (task.done() and now - at > age_s):
            task = asyncio.ensure_future(check(desk))
            self._found[key] = (now, task)
        return await asyncio.shield(task)


_checks = _Checks()


async def _check_index(desk: HelpDesk) -> Result:
    try:
        await bounded(lambda: desk.check_index(CHECK_S), CHECK_S)
    except IndexMissing:
        return f"Nothing is indexed yet. Run: {index_command()}", False
    except IndexFault:
        return f"The index was made with other settings. Run: {rebuild_command()}", False
    except (SearchUnavailable, TimeoutError):
        return SILENT, False
    except HelpError as error:
        return f"The index cannot be read ({type(error).__name__}).", False
    return "", True


async def _check_model(desk: HelpDesk) -> Result:
    """Connect to the model's server; it may list its models and yet generate nothing."""
    settings = desk.settings
    if settings.degraded_mode:
        return MODEL_OFF, True
    names = [settings.model, *settings.fallback_models.split(",")]
    urls = {"openai": settings.openai_url, "anthropic": settings.anthropic_url}
    places = {
        urls.get(n.strip().partition(":")[0], settings.ollama_url) for n in names if n.strip()
    }
    reached = await asyncio.gather(*map(_connects, places))
    return ("", True) if any(reached) else (NO_MODEL, False)


async def _connects(url: str) -> bool:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        default = 443 if parts.scheme == "https" else OLLAMA_PORT if "://" not in url else 80
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or default)
    except (OSError, ValueError):  # TimeoutError is one
        return False
    writer.close()
    return True


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
    return _made(outcome.served.answer)


def _made(answer: Answer) -> str:
    if answer.cached:
        return "kept"
    if not answer.answered:
        return "unanswered"
    if answer.talk:
        return "talk"
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
