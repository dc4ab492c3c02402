"""What the operator looks after over HTTP: kept answers, and what askers thought of answers.

Closed without ``HELP_ADMIN_KEY``.

The routes are no coroutines: the stores are asked in the server's threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from rag.cache.keeping import TIMEOUT_S, clear, figures
from rag.core.protocols import AnswerStore
from rag.core.records import now
from rag.server.keys import require_admin
from rag.stores import open_answer_store, open_journal_store

LINES_TYPE = "application/x-ndjson"
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object a line: `at`, `answer_id`, `helpful`, `commented`,"
        " `comment`",
        "content": {LINES_TYPE: {"schema": {"type": "string"}}},
    }
}
router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require_admin)])


class CacheFigures(BaseModel):
    """Hold what `cache stats --json` prints."""

    entries: int
    bytes: int
    pinned: int
    exact: int = Field(description="Questions found as they were asked")
    semantic: int = Field(description="Questions found by their meaning")
    waited: int = Field(description="Questions that another one's answer was for")
    missed: int
    hit_rate: float | None = Field(description="None before the first question")
    saved_s: float
    false_hits: int
    warmed: int
    oldest: float | None
    newest: float | None
    pages: dict[str, int] = Field(description="How many kept answers name each page")


class Removed(BaseModel):
    """Say how many answers were removed."""

    removed: int


@router.get("/cache")
def cache_figures(request: Request) -> CacheFigures:
    """Say how many answers are kept and what they spared."""
    with _answers(request) as store:
        return CacheFigures.model_validate(figures(store.stats(TIMEOUT_S)))


@router.delete("/cache")
def cache_clear(
    request: Request,
    page: Annotated[
        str | None, Query(max_length=1_000, description="Only what came from this page")
    ] = None,
    pinned: Annotated[bool, Query(description="Remove pinned answers too")] = False,
) -> Removed:
    """Remove the answers kept."""
    with _answers(request) as store:
        return Removed(removed=clear(store, page, pinned=pinned))


@router.get("/feedback", response_class=Response, responses=LINES)
def feedback(
    request: Request,
    days: Annotated[int, Query(ge=1, le=3_660, description="How far back")] = 30,
) -> Response:
    """Return the feedback given, the earliest first."""
    until = now() + timedelta(seconds=1)
    store = open_journal_store(request.app.state.desk.settings)
    try:
        found = list(store.feedback(until - timedelta(days=days), until, TIMEOUT_S))
    finally:
        store.close()
    lines = (orjson.dumps(asdict(one)) + b"\n" for one in found)
    return Response(b"".join(lines), media_type=LINES_TYPE)


@contextmanager
def _answers(request: Request) -> Iterator[AnswerStore]:
    store = open_answer_store(request.app.state.desk.settings)
    try:
        yield store
    finally:
        store.close()
