"""What the operator looks after over HTTP: kept answers, the journal, what askers thought of them.

Closed without ``HELP_ADMIN_KEY``.

The routes are no coroutines: the stores are asked in the server's threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from itertools import chain
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from rag.analytics.recorder import recorded
from rag.cache.maintenance import TIMEOUT_S, clear, figures
from rag.core.protocols import AnswerStore
from rag.core.records import LONGEST_COMMENT, Record, document, now
from rag.desk import HelpDesk
from rag.server.security import admit, require_admin
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
feedback_router = APIRouter(tags=["help"])
JOURNAL_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object a line: what was asked, then feedback, by time",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}


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


class FeedbackBody(BaseModel):
    """Hold what an asker thought of an answer."""

    answer_id: str = Field(
        pattern=r"^[0-9a-f]{32}$",
        description="The answer's `answer_id`",
        examples=["7d0a8c0e1d9b4a30a4b6c0c1f0c5a5d1"],
    )
    helpful: bool = Field(description="Whether it helped", examples=[False])
    comment: str = Field(
        "",
        max_length=LONGEST_COMMENT,
        description="The asker's words; kept only where the site keeps texts",
        examples=["Le bouton n’existe plus"],
    )
    conversation_id: str | None = Field(
        None, max_length=200, description="Taken and not kept: an opinion is of one answer"
    )


@feedback_router.post(
    "/api/help/feedback",
    status_code=204,
    dependencies=[Depends(admit)],
    summary="Say whether an answer helped",
)
async def help_feedback(opinion: Annotated[FeedbackBody, Body()], request: Request) -> None:
    """Note an opinion. The last one of an answer counts; of an unknown answer, none does."""
    desk: HelpDesk = request.app.state.desk
    desk.feedback(opinion.answer_id, opinion.helpful, opinion.comment)


@feedback_router.get(
    "/api/admin/journal",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    response_class=StreamingResponse,
    responses=JOURNAL_LINES,
    summary="Export the journal",
)
def journal_export(
    request: Request,
    days: Annotated[int, Query(ge=1, le=3_650, description="How far back")] = 7,
) -> StreamingResponse:
    """Send what was asked, and what was thought of it, as JSON lines."""
    desk: HelpDesk = request.app.state.desk
    records = recorded(desk.settings, now() - timedelta(days=days), now())
    first = next(records, None)  # a journal that cannot be read is a problem, not half an answer
    found = chain([first], records) if first else ()
    return StreamingResponse(map(_line, found), media_type="application/x-ndjson")


def _line(record: Record) -> bytes:
    return orjson.dumps(document(record)) + b"\n"
