"""What askers thought of an answer, taken in; and the journal, for who holds the operator's key."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from rag.core.records import LONGEST_COMMENT, Record, document, now
from rag.desk import HelpDesk
from rag.journaling import recorded
from rag.server.doors import admit
from rag.server.keys import require_admin

router = APIRouter(tags=["help"])
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object a line: what was asked, then feedback, by time",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}


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


@router.post(
    "/api/help/feedback",
    status_code=204,
    dependencies=[Depends(admit)],
    summary="Say whether an answer helped",
)
async def help_feedback(opinion: Annotated[FeedbackBody, Body()], request: Request) -> None:
    """Note an opinion. The last one of an answer counts; of an unknown answer, none does."""
    desk: HelpDesk = request.app.state.desk
    desk.feedback(opinion.answer_id, opinion.helpful, opinion.comment)


@router.get(
    "/api/admin/journal",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    response_class=StreamingResponse,
    responses=LINES,
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
