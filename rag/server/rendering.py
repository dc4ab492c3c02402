"""Answers and events as the JSON that every way in sends, with the names of ``ask --json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rag.types import Answer, ChunkEvent, Event, SourcesEvent


def answer_body(answer: Answer) -> dict[str, Any]:
    """Return an answer as the help endpoint sends it."""
    return asdict(answer)


def event_message(event: Event) -> dict[str, Any]:
    """Return an event as the WebSocket and the SSE stream send it, without its number."""
    if isinstance(event, SourcesEvent):
        return {
            "type": "message_sources",
            "extract": event.extract,
            "sources": [asdict(source) for source in event.retrieved],
        }
    if isinstance(event, ChunkEvent):
        return {"type": "message_chunk", "content": event.content}
    body = answer_body(event.answer)
    return {"type": "message_complete", "content": body.pop("text"), **body}
