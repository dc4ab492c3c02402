"""A text to those of its sentences, steps, items and rows that bear most on a question."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy

from rag.extraction.coverage import Led, Words, coverage, led_by, lent, rarity, terms_of, with_near
from rag.language.sentences import TEXTS_KEPT, joined, length, split_units, with_heads
from rag.question import Question

QUESTIONS_KEPT = 100
FIRST = 0.15  # what standing first is worth
CLAUSE_END = re.compile(r"[,;:.!?…](?=\s)")


def condense(text: str, question: Question, lang: str, longest: int) -> str:
    """Return what bears most on a question in a text, in its order, in at most ``longest`` chars.

    A lead-in and a header row stay with what they introduce; steps are kept from the first one on
    unless the question is about a later one. A text that fits is returned as it is. Only where no
    unit fits, the best one is cut at a word and ends with « … ».
    """
    if len(text) <= longest:
        return text
    units = split_units(text)
    if not units:
        return text[:longest].strip()
    scores = _scores(text, question, lang)
    order = sorted(range(len(units)), key=lambda i: (-scores[i], i))
    kept: set[int] = set()
    for position in order:
        unit = units[position]
        options = [with_heads(units, position)]
        if unit.kind != "step" or scores[position] > 2 * scores[unit.first]:
            options.append({position, *unit.heads})
        fitting = (kept | more for more in options if length(units, kept | more) <= longest)
        kept = next(fitting, kept)
    return joined(units, kept) or cut(units[order[0]].text, longest)


@lru_cache(maxsize=QUESTIONS_KEPT)
def _scores(text: str, question: Question, lang: str) -> list[float]:
    """Return how much each unit of a text bears on a question; it is fitted in several tries."""
    words, led = _read(text, lang)
    terms = terms_of(question)
    held = words.held(terms)
    covered = coverage(rarity(terms, held), lent(held, led))
    first = FIRST * (1 - numpy.arange(words.count) / words.count)
    scores: list[float] = (with_near(covered) + first).tolist()
    return scores


@lru_cache(maxsize=TEXTS_KEPT)
def _read(text: str, lang: str) -> tuple[Words, Led]:
    """Return a text's words, and which of its units come with which."""
    units = split_units(text)
    return Words.of([unit.text for unit in units], lang), led_by(units)


def cut(text: str, longest: int) -> str:
    """Return the beginning of a text, ended at a clause or a word, never within a menu path."""
    if len(text) <= longest:
        return text
    room = text[: max(longest - 2, 0)]
    clauses = [end.end() for end in CLAUSE_END.finditer(room) if end.end() > longest // 2]
    if clauses:
        return f"{room[: clauses[-1]].rstrip(',;: ')} …"
    words = room.split(" ")
    rest = text[len(room) :]
    if len(words) > 1 and not rest.startswith(" "):
        words.pop()
    while len(words) > 1 and words[-1] in (">", "→", "▸", "|", "«"):
        words.pop()
    return f"{' '.join(words)} …" if longest > 2 else text[:longest]
