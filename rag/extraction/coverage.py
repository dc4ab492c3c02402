"""How much of a question texts hold, word by word: in itself, by its root, by a word near in sense.

What depends on the texts alone is read once and kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, TypeAlias

import numpy
from numpy.typing import NDArray

from rag.core.documents import Vectors
from rag.language import analyzer
from rag.language.sentences import Unit
from rag.question import Question, Term

# how well each text holds each word, in [0, 1]: (words, texts)
Credits: TypeAlias = NDArray[numpy.float64]
Led: TypeAlias = Sequence[tuple[int, tuple[int, ...]]]

ALIKE = 0.7  # what a word of the same root counts: « ouiller » for « ouillage »
HEAD = 0.6  # what a word of the lead-in or of the header row counts for an item or row
FRAME = 0.5  # what a word counts by which the question asks: « prix », « délai »
NEAR = 0.25  # what the better neighbour's score is worth
NEAR_IN_SENSE = 0.45  # cosine from which on a word begins to count for another
SENSE = 0.75  # what a word counts whose subwords are those of another
MOST_HEADS = 2  # a lead-in and a header row
MOST_WORDS = 40  # of a question
SHORTEST_ROOT = 4  # letters
LONGEST_ENDING = 4


class SubwordEncoder(Hashable, Protocol):
    """Turn texts into subwords, and words and subwords into vectors of one space."""

    def subwords(self, text: str) -> list[int]:
        """Return the ids of a text's subwords, in order."""

    def unit_rows(self, ids: NDArray[numpy.int32]) -> Vectors:
        """Return the vectors of subwords: (n, dimension) float32, unit rows."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: (n, dimension) float32, unit rows; zeros for no text."""


def terms_of(question: Question) -> tuple[Term, ...]:
    """Return a question's words that are compared with texts, at most `MOST_WORDS`."""
    return question.terms[:MOST_WORDS]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Hold the places of the texts that hold each stem, and the stems by their first letters."""

    count: int
    by_stem: dict[str, tuple[int, ...]]
    by_root: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, texts: Sequence[str], lang: str) -> Words:
        """Read texts."""
        holding: dict[str, list[int]] = {}
        for place, text in enumerate(texts):
            for stem in dict.fromkeys(analyzer.stems(text, lang)):
                holding.setdefault(stem, []).append(place)
        by_root: dict[str, tuple[str, ...]] = {}
        for stem in holding:
            root = stem[:SHORTEST_ROOT]
            if len(root) == SHORTEST_ROOT:
                by_root[root] = (*by_root.get(root, ()), stem)
        by_stem = {stem: tuple(places) for stem, places in holding.items()}
        return cls(len(texts), by_stem, by_root)

    def held(self, terms: Sequence[Term]) -> Credits:
        """Return how well texts hold words: 1, or `ALIKE` where they hold one of the same root."""
        found = numpy.zeros((len(terms), self.count))
        for row, term in zip(found, terms, strict=True):
            for form in term.stems:
                for stem in self.by_root.get(form[:SHORTEST_ROOT], ()):
                    if _same_root(form, stem):
                        row[list(self.by_stem[stem])] = ALIKE
            for form in term.stems:
                if form in self.by_stem:
                    row[list(self.by_stem[form])] = 1.0
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Senses:
    """Hold the distinct subwords of texts, text after text, to compare words by their sense.

    ``ids`` are all subwords once; ``columns`` each text's among them, from ``starts`` on.
    """

    ids: NDArray[numpy.int32]
    columns: NDArray[numpy.int64]
    starts: NDArray[numpy.int64]

    @classmethod
    def of(cls, texts: Iterable[str], encoder: SubwordEncoder) -> Senses:
        """Read texts."""
        held = [sorted(set(encoder.subwords(text))) or [0] for text in texts]
        ids = numpy.unique(numpy.array(list(chain.from_iterable(held)), numpy.int32))
        columns = numpy.searchsorted(ids, list(chain.from_iterable(held)))
        starts = numpy.cumsum([0, *(len(one) for one in held[:-1])])
        return cls(ids, columns, starts)

    def held(self, terms: Sequence[Term], encoder: SubwordEncoder) -> Credits:
        """Return how near words are to the nearest subword of each text, from 0 to `SENSE`."""
        if not terms or not self.starts.size:
            return numpy.zeros((len(terms), self.starts.size))
        cosines = (
            encoder.encode_passages([term.word for term in terms]) @ encoder.unit_rows(self.ids).T
        )
        best = numpy.maximum.reduceat(cosines[:, self.columns], self.starts, axis=1)
        return SENSE * numpy.clip((best - NEAR_IN_SENSE) / (1 - NEAR_IN_SENSE), 0.0, 1.0)


def led_by(units: Sequence[Unit]) -> Led:
    """Return the places of the units that come with each lead-in and each header row."""
    led: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        for head in unit.heads[:MOST_HEADS]:
            led.setdefault(head, []).append(place)
    return tuple((head, tuple(places)) for head, places in led.items())


def lent(held: Credits, led: Led) -> Credits:
    """Return how well units hold words, by their lead-ins and header rows too."""
    whole = held.copy()
    for head, places in led:
        at = list(places)
        whole[:, at] = numpy.maximum(whole[:, at], HEAD * held[:, [head]])
    return whole


def rarity(terms: Sequence[Term], held: Credits) -> NDArray[numpy.float64]:
    """Return the weight of each word, higher the fewer of the texts hold it; they add up to 1.

    A word that stands nowhere weighs too: what the others tell is then worth less.
    """
    count = held.shape[1]
    counts = numpy.array([FRAME if term.is_frame else 1.0 for term in terms])
    weights = counts * numpy.log(1 + count / (1 + numpy.count_nonzero(held, axis=1)))
    return weights / (weights.sum() or 1.0)


def coverage(weights: NDArray[numpy.float64], held: Credits) -> NDArray[numpy.float64]:
    """Return how much of the question each text holds, in [0, 1]."""
    # not by a product of matrices, which adds equal texts up to unequal sums
    return (weights[:, None] * held).sum(axis=0)


def with_near(scores: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return the scores of units that follow each other, each with its better neighbour's share."""
    around = numpy.zeros(len(scores) + 2)
    around[1:-1] = scores
    return scores + NEAR * numpy.maximum(around[:-2], around[2:])


def _same_root(one: str, other: str) -> bool:
    """Say whether two stems that begin alike differ by an ending alone."""
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return 0 < len(long) - len(short) <= LONGEST_ENDING and long.startswith(short)
