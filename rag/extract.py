"""Hits to an extractive answer: the section that answers as it stands, its steps as steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag import analysis
from rag.types import Chunk, Hit

LONGEST = 1_200  # characters: about what a reader takes in at a glance, and a widget shows
STEP = re.compile(r"^\s*\d+[.)] ", re.MULTILINE)
ASKS_HOW = re.compile(
    r"^\W*(?:how\b|\w+(?:er|ir|re)\b)|\bcomment\b|\bhow (?:to|do|can)\b"
    # « crée un client », « ajoutez une cuvée », "add a user"
    r"|^\W*\w+\s+(?:une?|l[ea]s?|mon|ma|mes|des|du|plusieurs|an?|the|my)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extract:
    """Hold an answer made of a page's own words, and the hit that it is taken from."""

    text: str
    hit: Hit


def extract_answer(question: str, hits: Sequence[Hit], page: Sequence[Chunk]) -> Extract:
    """Return the section that answers, whole, with its number [1].

    ``page`` are the chunks of the best hit's page in order. A question that asks how is answered
    by the page's steps rather than by its introduction.
    """
    best = hits[0]
    chunk = best.chunk
    if ASKS_HOW.search(question) and not has_steps(chunk):
        chunk = _steps_for(question, chunk, page) or chunk
    return Extract(f"{_whole_section(chunk, page)} [1]", replace(best, chunk=chunk))


def has_steps(chunk: Chunk) -> bool:
    """Say whether a chunk holds a list of two steps or more."""
    return len(STEP.findall(chunk.text)) > 1


def _steps_for(question: str, best: Chunk, page: Sequence[Chunk]) -> Chunk | None:
    """Return the page's steps that hold most of the question's words, the earlier of equals.

    Another section's steps are taken only when the best chunk is the page's introduction.
    """
    near = [c for c in page if has_steps(c) and (not best.headings or c.headings == best.headings)]
    words = {
        stem for word in analysis.content_words(question) for stem in analysis.query_stems(word)
    }

    def shared(chunk: Chunk) -> int:
        return len(words & set(analysis.stems(f"{chunk.heading} {chunk.text}", chunk.lang)))

    return max(near, key=shared, default=None)


def _whole_section(chunk: Chunk, page: Sequence[Chunk]) -> str:
    """Join the pieces of a section from ``chunk`` on; pieces of one list repeat their lead-in."""
    same = [c for c in page if c.headings == chunk.headings]
    start = next((i for i, c in enumerate(same) if c.id == chunk.id), len(same))
    text = chunk.text
    for following in same[start + 1 :]:
        longer = _joined(text, following.text)
        if len(longer) > LONGEST:
            break
        text = longer
    return text


def _joined(text: str, following: str) -> str:
    shown = set(text.split("\n"))
    lines = following.split("\n")
    while lines and lines[0] in shown:
        lines.pop(0)
    return "\n".join([text, *lines])
