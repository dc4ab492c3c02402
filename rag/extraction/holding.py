"""How much of a question texts hold, word by word; what depends on the texts alone is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rag.language import analyzer
from rag.language.sentences import Unit
from rag.question import Term

# how well texts hold a word, by their places: few hold it, and numpy takes 1 µs to begin
Credits: TypeAlias = dict[int, float]
Led: TypeAlias = Mapping[int, Sequence[int]]

ALIKE = 0.7  # what a word of the same root counts: « ouiller » for « ouillage »
HEAD = 0.6  # what a word of the lead-in or of the header row counts for an item or row
FRAME = 0.5  # what a word counts by which the question asks: « prix », « délai »
NEAR = 0.25  # what the better neighbour's score is worth
MOST_HEADS = 2  # a lead-in and a header row
MOST_WORDS = 40  # of a question
SHORTEST_ROOT = 4  # letters
LONGEST_ENDING = 4


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Hold the places of the texts that hold each stem, and the stems by their first letters."""

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
        return cls({stem: tuple(places) for stem, places in holding.items()}, by_root)

    def held(self, forms: Sequence[str]) -> Credits:
        """Return how well texts hold a word: 1, or `ALIKE` where they hold one of the same root."""
        found: Credits = {}
        for form in forms:
            for stem in self.by_root.get(form[:SHORTEST_ROOT], ()):
                if _same_root(form, stem):
                    found |= dict.fromkeys(self.by_stem[stem], ALIKE)
        for form in forms:
            if form in self.by_stem:
                found |= dict.fromkeys(self.by_stem[form], 1.0)
        return found

    def holding(self, stems: Iterable[str]) -> set[int]:
        """Return the places of the texts that hold one of the stems."""
        return {place for stem in stems for place in self.by_stem.get(stem, ())}


def led_by(units: Sequence[Unit]) -> Led:
    """Return the places of the units that come with each lead-in and each header row."""
    led: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        for head in unit.heads[:MOST_HEADS]:
            led.setdefault(head, []).append(place)
    return led


def lent(held: Credits, led: Led) -> Credits:
    """Return how well units hold a word, by their lead-ins and header rows too."""
    heads = led.keys() & held.keys()
    if not heads:
        return held
    more = dict(held)
    for head in heads:
        credit = HEAD * held[head]
        more |= {unit: credit for unit in led[head] if more.get(unit, 0.0) < credit}
    return more


def rarity(terms: Sequence[Term], held: Sequence[Credits], count: int) -> list[float]:
    """Return the weight of each word, higher the fewer of the units, which are ``count``, hold it.

    A word that stands nowhere weighs too: what the others tell is then worth less.
    """
    return [
        (FRAME if term.is_frame else 1.0) * math.log(1 + count / (1 + len(holding)))
        for term, holding in zip(terms, held, strict=True)
    ]


def coverage(weights: Sequence[float], held: Iterable[Credits], count: int) -> list[float]:
    """Return how much of the question each of ``count`` texts holds, in [0, 1]."""
    total = sum(weights) or 1.0
    covered = [0.0] * count
    for weight, holding in zip(weights, held, strict=True):
        for place, credit in holding.items():
            covered[place] += weight * credit
    return [one / total for one in covered]


def beside(places: range) -> tuple[tuple[int, int], ...]:
    """Return the places before and after each of the units at some places, -1 for none."""
    return tuple(
        (i - 1 if i > places.start else -1, i + 1 if i + 1 < places.stop else -1) for i in places
    )


def with_near(scores: Sequence[float], neighbours: Sequence[tuple[int, int]]) -> list[float]:
    """Return the scores of units, each with what its better neighbour's is worth."""
    known = (*scores, 0.0)  # at -1
    return [
        score + NEAR * (one if (one := known[before]) > (other := known[after]) else other)
        for score, (before, after) in zip(scores, neighbours, strict=True)
    ]


def _same_root(one: str, other: str) -> bool:
    """Say whether two stems that begin alike differ by an ending alone."""
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return 0 < len(long) - len(short) <= LONGEST_ENDING and long.startswith(short)
