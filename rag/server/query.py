"""A question in, its whole answer out, as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from rag.server.rendering import answer_body

router = APIRouter()


class HelpQuery(BaseModel):
    """Hold what an asker sends."""

    question: str
    page: str = ""
    title: str = ""
    conversation_id: str | None = None


@router.post("/api/help/query")
async def help_query(query: HelpQuery, request: Request) -> dict[str, Any]:
    """Answer a question from the help pages."""
    desk = request.app.state.desk
    answer = await desk.answer(
        query.question,
        place=query.page,
        title=query.title,
        conversation_id=query.conversation_id,
    )
    return answer_body(answer)
