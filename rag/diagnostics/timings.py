"""When the events of a question come, and what many such times have in common."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.core.answers import Answer, AnswerEvent, ChunkEvent, CompleteEvent, SourcesEvent
from rag.core.errors import HelpError

if TYPE_CHECKING:
    from rag.assistant import Assistant

Spread = dict[str, float]


@dataclass(frozen=True, slots=True)
class Timing:
    """Hold when a question's events came, in milliseconds since it was asked.

    ``first_text_ms`` is the first event that a reader can use: the extract, most often.
    """

    question: str
    first_event_ms: float
    first_text_ms: float
    last_event_ms: float
    answer: Answer

    @property
    def first_token_ms(self) -> float | None:
        """Return when the model's first token came, None where none did."""
        return self.answer.timings.get("first_token_ms")

    @property
    def by_model(self) -> bool:
        """Say whether the model wrote the text that was shown."""
        return self.answer.model is not None


async def time_question(assistant: Assistant, question: str) -> Timing:
    """Ask a question and note when its events come. Raises what `Assistant.stream` raises."""
    start = time.perf_counter()
    times: list[float] = []
    first_text_ms: float | None = None
    async with aclosing(assistant.stream(question)) as events:
        async for event in events:
            times.append(since_ms(start))
            if first_text_ms is None and _has_text(event):
                first_text_ms = times[-1]
            if isinstance(event, CompleteEvent):
                text_ms = times[-1] if first_text_ms is None else first_text_ms
                return Timing(question, times[0], text_ms, times[-1], event.answer)
    raise HelpError("The stream ended without an answer.")


def since_ms(start: float) -> float:
    """Return the milliseconds since a time of `time.perf_counter`."""
    return round((time.perf_counter() - start) * 1000, 3)


def spread(values: Iterable[float]) -> Spread | None:
    """Return median, 95th percentile, mean and maximum; None without a value.

    Percentiles are nearest ranks: times that did occur.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    mean = math.fsum(ordered) / len(ordered)
    found = {"p50": _rank(ordered, 0.5), "p95": _rank(ordered, 0.95), "mean": mean}
    return {name: round(value, 3) for name, value in {**found, "max": ordered[-1]}.items()}


def summarise(timings: Sequence[Timing]) -> dict[str, Any]:
    """Return what `benchmark --json` prints of some questions."""
    answers = [timing.answer for timing in timings]
    usages = [answer.usage for answer in answers if answer.usage]
    reasons = Counter(answer.reason for answer in answers if answer.reason)
    first_tokens = (timing.first_token_ms for timing in timings)
    searches = (answer.timings.get("search_ms") for answer in answers)
    return {
        "questions": len(timings),
        "first_event_ms": spread(timing.first_event_ms for timing in timings),
        "first_text_ms": spread(timing.first_text_ms for timing in timings),
        "first_token_ms": spread(ms for ms in first_tokens if ms is not None),
        "last_event_ms": spread(timing.last_event_ms for timing in timings),
        "search_ms": spread(ms for ms in searches if ms is not None),
        "by_model": sum(timing.by_model for timing in timings),
        "truncated": sum(answer.truncated for answer in answers),
        "by_extract": sum(answer.answered and answer.model is None for answer in answers),
        "degraded": sum(answer.degraded for answer in answers),
        "unanswered": sum(not answer.answered for answer in answers),
        "reasons": dict(reasons),
        "prompt_tokens": spread(usage.prompt_tokens for usage in usages),
        "output_tokens": spread(usage.output_tokens for usage in usages),
    }


def _has_text(event: AnswerEvent) -> bool:
    if isinstance(event, SourcesEvent):
        return bool(event.extract)
    return bool(event.content if isinstance(event, ChunkEvent) else event.answer.text)


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]
