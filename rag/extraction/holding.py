"""How much of a question texts hold, word by word; what depends on the texts alone is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag import analysis
from rag.extraction.asked import QUESTIONS_KEPT, frame
from rag.extraction.sentences import Unit

Credits: TypeAlias = NDArray[numpy.float64]
Places: TypeAlias = NDArray[numpy.intp]

ALIKE = 0.7  # what a word of the same root counts: « ouiller » for « ouillage »
HEAD = 0.6  # what a word of the lead-in or of the header row counts for an item or row
FRAME = 0.5  # what a word counts by which the question asks: « prix », « délai »
NEAR = 0.25  # what the better neighbour's score is worth
MOST_HEADS = 2  # a lead-in and a header row
MOST_WORDS = 40  # of a question
SHORTEST_ROOT = 4  # letters
LONGEST_ENDING = 4


class Asked:
    """Hold a question's words that matter: the stems of each, and how much each counts."""

    def __init__(self, question: str) -> None:
        words = analysis.content_words(question, analysis.STEMMERS)[:MOST_WORDS]
        framing = set(analysis.words(frame(question)))
        self.forms = [analysis.query_stems(word) for word in words]
        self.counts = [FRAME if word in framing else 1.0 for word in words]
        self.stems = frozenset(stem for forms in self.forms for stem in forms)


@lru_cache(maxsize=QUESTIONS_KEPT)
def asked_of(question: str) -> Asked:
    """Return a question's words, which are compared with several pages in a row."""
    return Asked(question)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Hold which of ``count`` texts hold each stem, and the stems by their first letters."""

    count: int
    by_stem: dict[str, Places]
    by_root: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, texts: Sequence[str], lang: str) -> Words:
        """Read texts."""
        holding: dict[str, list[int]] = {}
        for place, text in enumerate(texts):
            for stem in dict.fromkeys(analysis.stems(text, lang)):
                holding.setdefault(stem, []).append(place)
        by_root: dict[str, tuple[str, ...]] = {}
        for stem in holding:
            root = stem[:SHORTEST_ROOT]
            by_root[root] = (*by_root.get(root, ()), stem)
        by_stem = {stem: numpy.array(places, numpy.intp) for stem, places in holding.items()}
        return cls(len(texts), by_stem, by_root)

    def held(self, asked: Asked) -> Credits:
        """Return how well each text holds each word of a question: (words, texts).

        1, or `ALIKE` for a word of the same root.
        """
        found = numpy.zeros((len(asked.forms), self.count))
        for row, forms in zip(found, asked.forms, strict=True):
            for form in forms:
                for stem in self.by_root.get(form[:SHORTEST_ROOT], ()):
                    if _same_root(form, stem):
                        row[self.by_stem[stem]] = ALIKE
            for form in forms:
                if form in self.by_stem:
                    row[self.by_stem[form]] = 1.0
        return found

    def holding(self, stems: Iterable[str]) -> set[int]:
        """Return the places of the texts that hold one of the stems."""
        found = (self.by_stem[stem] for stem in stems if stem in self.by_stem)
        return {place for places in found for place in places.tolist()}


def heads_of(units: Sequence[Unit]) -> Places:
    """Return the places of each unit's lead-in and header row: (2, units); those of no unit last.

    ``units`` are all that there are: the number of them stands for no unit.
    """
    none = len(units)
    rows = [(*unit.heads, none, none)[:MOST_HEADS] for unit in units]
    return numpy.array(rows, numpy.intp).reshape(none, MOST_HEADS).T


def lent(held: Credits, heads: Places) -> Credits:
    """Return how well each unit holds each word, by its lead-in and header row too."""
    if heads.size and heads.min() < held.shape[1]:
        padded = numpy.zeros((held.shape[0], held.shape[1] + 1))
        padded[:, :-1] = HEAD * held
        for head in heads:
            held = numpy.maximum(held, padded.take(head, axis=1))
    return held


def rarity(asked: Asked, held: Credits) -> list[float]:
    """Return the weight of each word, higher the fewer units hold it.

    A word that stands nowhere weighs too: what the others tell is then worth less.
    """
    count = held.shape[1]
    holding = numpy.count_nonzero(held, axis=1).tolist()
    return [
        weight * math.log(1 + count / (1 + number))
        for weight, number in zip(asked.counts, holding, strict=True)
    ]


def coverage(weights: Sequence[float], credits_: Credits) -> Credits:
    """Return how much of the question each text holds, in [0, 1]: (words, texts) to (texts,)."""
    total = sum(weights) or 1.0
    weighted = numpy.array(weights)[:, None] * credits_
    return numpy.add.reduce(weighted, axis=0) / total


def _same_root(one: str, other: str) -> bool:
    if one[:SHORTEST_ROOT] != other[:SHORTEST_ROOT] or one == other:
        return False
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    near = SHORTEST_ROOT <= len(short) >= len(long) - LONGEST_ENDING
    return near and long.startswith(short)
