"""What came of a question, for those who asked from afar and for those who count."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rag.core.answers import AnswerEvent, CompleteEvent
from rag.places import PageLink


@dataclass(frozen=True, slots=True)
class Served(CompleteEvent):
    """Close a stream: the answer with what those who asked from afar need besides.

    ``answer_id`` is what feedback names; ``pages`` has title and address of the answer's page and
    of those to see also.
    """

    answer_id: str = ""
    conversation_id: str | None = None
    pages: dict[str, PageLink] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tell what came of a question: ``served`` None, it was stopped or failed with ``error``.

    ``first_text_s`` is when there was something to read; ``channel`` is the way in.
    """

    question: str
    channel: str
    place: str | None
    served: Served | None
    first_text_s: float | None
    total_s: float
    error: Exception | None = None


class Told:
    """Note what happens to one question, by the clock."""

    def __init__(self, question: str, channel: str) -> None:
        self._question = question
        self._channel = channel
        self._begun = time.monotonic()
        self._first_text_s: float | None = None
        self._served: Served | None = None
        self.place: str | None = None
        self.error: Exception | None = None

    def note(self, event: AnswerEvent) -> None:
        """Note an event that is sent."""
        if isinstance(event, Served):
            self._served = event
        if self._first_text_s is None:
            self._first_text_s = time.monotonic() - self._begun

    def outcome(self) -> Outcome:
        """Return what came of it, up to now."""
        return Outcome(
            self._question,
            self._channel,
            self.place,
            self._served,
            self._first_text_s,
            time.monotonic() - self._begun,
            self.error,
        )
