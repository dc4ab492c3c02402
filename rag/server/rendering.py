"""Answers and events as the JSON that every way in sends, with the names of ``ask --json``."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rag.core.answers import AnswerEvent, ChunkEvent, CompleteEvent, SourcesEvent
from rag.messages import code_of


def answer_body(served: CompleteEvent) -> dict[str, Any]:
    """Return an answer as the help endpoint sends it; ``reason_code`` is its reason's name."""
    body = _values(served)
    answer = _values(body.pop("answer"))
    return {**answer, "reason_code": code_of(served.answer.reason), **body}


def event_message(event: AnswerEvent) -> dict[str, Any]:
    """Return an event as the WebSocket and the SSE stream send it, without its number.

    A conversation's id is the sender's to add where the event does not know it.
    """
    if isinstance(event, SourcesEvent):
        return {
            "type": "message_sources",
            "extract": event.extract,
            "sources": event.retrieved,
        }
    if isinstance(event, ChunkEvent):
        return {"type": "message_chunk", "content": event.content}
    body = answer_body(event)
    return {
        "type": "message_complete",
        "content": body.pop("text"),
        **body,
        "stopped": False,
    }


def _values(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields as they are: orjson writes those within it."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
