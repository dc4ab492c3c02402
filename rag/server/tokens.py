"""Tokens for the pages of a site, for its own server to fetch."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from rag.server.doors import Doors
from rag.server.keys import holds_api_key, mint_token, require_caller
from rag.server.problems import Problem

router = APIRouter(tags=["help"])


class Token(BaseModel):
    """Hold a token, and for how long it is good."""

    token: str
    expires_in: int = Field(description="Seconds")


@router.post("/api/help/token", dependencies=[Depends(require_caller)])
async def make_token(request: Request) -> Token:
    """Make a token for a page's widget. The key itself is needed: a token makes no other one."""
    doors: Doors = request.app.state.doors
    if doors.settings.api_key is None:
        raise Problem(404, "not_found")  # anybody may ask: no token is needed
    if not holds_api_key(doors.settings, request.headers):
        raise Problem(401, "unauthorized", headers={"WWW-Authenticate": "Bearer"})
    return Token(token=mint_token(doors.settings), expires_in=doors.settings.token_max_age_s)
