"""An answer and its parts: what it rests on, what it cost, and the events that it comes in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rag.core.documents import ScreenLink

UNSUPPORTED_TTL_S = 30.0

Confidence = Literal["sure", "perhaps", "no"]
LeftUnit = Literal["steps", "items", "rows", "lines", "sentences", "paragraphs"]


@dataclass(frozen=True, slots=True)
class Source:
    """Name a place in the pages that an answer rests on. ``n`` is the number cited in the text."""

    n: int
    title: str
    heading: str
    url: str
    page: str
    score: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold what one generation cost, by the server's own counters where it has them.

    ``prompt_tokens`` counts the whole prompt, those found in the server's prefix cache too;
    ``prompt_s`` is the time that reading the others took. ``ended`` is ``length`` when the model
    was stopped by its number of tokens.
    """

    prompt_tokens: int
    output_tokens: int
    prompt_s: float
    output_s: float
    load_s: float = 0.0
    ended: Literal["stop", "length"] = "stop"


@dataclass(frozen=True, slots=True)
class More:
    """Say what an answer leaves out of what it quotes: how many of what, and where they stand."""

    left: int
    unit: LeftUnit
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a whole answer, as the help endpoint and ``ask --json`` return it.

    ``sources`` are what the text rests on, ``retrieved`` what the search found. ``degraded`` says
    that the model had no part in it: it was off, silent, late or failed. ``reason`` says, in the
    question's language, why the text is an extract. ``unsupported`` counts the model's sentences
    that were left out because no passage supports them: when that leaves nothing, the extract
    stands in, and is no degraded answer. ``more`` says what an extract leaves out of what it
    quotes. ``model`` is the one that wrote the text, ``usage`` what that cost, where it ended by
    itself. ``talk`` is the kind of small talk (« merci ») that the text replies to: no page is
    quoted then.
    ``confidence`` is how sure it is that the pages found answer the question: ``no`` where
    ``answered`` is False.
    """

    text: str
    page_effective: str | None = None
    see_also: tuple[str, ...] = ()
    degraded: bool = False
    reason: str | None = None
    sources: tuple[Source, ...] = ()
    retrieved: tuple[Source, ...] = ()
    actions: tuple[ScreenLink, ...] = ()
    cached: Literal["exact", "semantic"] | None = None
    legs: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    answered: bool = True
    truncated: bool = False
    more: More | None = None
    unsupported: int = 0
    model: str | None = None
    usage: Usage | None = None
    talk: str | None = None
    confidence: Confidence = "sure"


@dataclass(frozen=True, slots=True)
class SourcesEvent:
    """Open a stream: what was found, and an answer made without the model."""

    retrieved: tuple[Source, ...]
    extract: str


@dataclass(frozen=True, slots=True)
class ChunkEvent:
    """Carry the next piece of the model's text."""

    content: str


@dataclass(frozen=True, slots=True)
class CompleteEvent:
    """Close a stream with the whole answer. Exactly one comes, and it comes last.

    ``lang`` is ``fr`` or ``en``: in what the question is answered.
    """

    answer: Answer
    lang: str = "fr"


AnswerEvent = SourcesEvent | ChunkEvent | CompleteEvent


def worth_keeping_s(answer: Answer) -> float:
    """Return how long an answer may be kept: not at all, seconds, or as long as the settings say.

    Seconds when the model ended by itself and the passages did not support all that it wrote: it
    would write the same again.
    """
    ended = answer.usage is not None and answer.usage.ended == "stop"
    if not ended or not answer.answered or answer.degraded or answer.truncated:
        return 0.0
    return math.inf if answer.reason is None and answer.unsupported == 0 else UNSUPPORTED_TTL_S


def read_answer(data: Mapping[str, Any]) -> Answer:
    """Return the Answer that ``asdict`` made. Raises TypeError or KeyError for anything else."""
    values = dict(data)
    for name in ("sources", "retrieved"):
        values[name] = tuple(Source(**source) for source in values[name])
    values["actions"] = tuple(ScreenLink(**action) for action in values["actions"])
    for name in ("see_also", "legs"):
        values[name] = tuple(values[name])
    more = values.get("more")
    values["more"] = More(**more) if more else None
    usage = values.get("usage")
    values["usage"] = Usage(**usage) if usage else None
    return Answer(**values)
