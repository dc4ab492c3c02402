"""A text to those of its sentences, steps, items and rows that bear most on a question."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rag import analysis
from rag.extraction.asked import QUESTIONS_KEPT, frame
from rag.extraction.sentences import Unit, joined, length, split_units, with_heads

ALIKE = 0.7  # what a word of the same root counts: « ouiller » for « ouillage »
HEAD = 0.6  # what a word of the lead-in or of the header row counts for an item or row
FIRST = 0.15  # what standing first is worth, and
FRAME = 0.5  # what a word counts by which the question asks: « prix », « délai »
NEAR = 0.25  # what the better neighbour's score is worth
MOST_WORDS = 40  # of a question
SHORTEST_ROOT = 4  # letters
PAGES_KEPT = 500
LONGEST_ENDING = 4
CLAUSE_END = re.compile(r"[,;:.!?…](?=\s)")


def condense(text: str, question: str, lang: str, longest: int) -> str:
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
def _scores(text: str, question: str, lang: str) -> list[float]:
    """Return how much each unit of a text bears on a question; it is fitted in several tries."""
    units = split_units(text)
    asked = asked_of(question)
    held = words_held([unit.text for unit in units], asked, lang)
    scores = smoothed(coverage(units, rarity(asked, held), held))
    return [score + FIRST * (1 - i / len(units)) for i, score in enumerate(scores)]


class Asked:
    """Hold a question's words that matter: the stems of each, and how much each counts."""

    def __init__(self, question: str) -> None:
        words = analysis.content_words(question, analysis.STEMMERS)[:MOST_WORDS]
        framing = set(analysis.words(frame(question)))
        self.forms = {word: analysis.query_stems(word) for word in words}
        self.counts = {word: FRAME if word in framing else 1.0 for word in words}
        self.stems = frozenset(stem for forms in self.forms.values() for stem in forms)


@lru_cache(maxsize=QUESTIONS_KEPT)
def asked_of(question: str) -> Asked:
    """Return a question's words, which are compared with several pages in a row."""
    return Asked(question)


def coverage(
    units: Sequence[Unit],
    weights: Mapping[str, float],
    held: Sequence[Mapping[str, float]],
    around: Sequence[Mapping[str, float]] = (),
) -> list[float]:
    """Return how much of the question each unit holds, in [0, 1].

    ``held`` are the units' `words_held`, ``weights`` their `rarity`. The words of a unit's lead-in
    and header row count by `HEAD`, those of ``around`` as much as it says.
    """
    total = sum(weights.values()) or 1.0
    scores = []
    for i, unit in enumerate(units):
        lent = dict(held[i])
        for word, credit in around[i].items() if around else ():
            lent[word] = max(credit, lent.get(word, 0.0))
        for head in unit.heads:
            for word, credit in held[head].items():
                lent[word] = max(HEAD * credit, lent.get(word, 0.0))
        met = [weight * lent[word] for word, weight in weights.items() if word in lent]
        scores.append(sum(met) / total)
    return scores


def words_held(texts: Sequence[str], asked: Asked, lang: str) -> list[dict[str, float]]:
    """Return which words of the question each text holds: 1, or `ALIKE` for a same root."""
    stems, by_root = _stemmed(tuple(texts), lang)
    found: list[dict[str, float]] = [{} for _ in texts]
    for word, forms in asked.forms.items():
        alike = {
            stem
            for form in forms
            for stem in by_root.get(form[:SHORTEST_ROOT], ())
            if _same_root(form, stem)
        }
        for held, one in zip(stems, found, strict=True):
            if not held.isdisjoint(forms):
                one[word] = 1.0
            elif alike and not held.isdisjoint(alike):
                one[word] = ALIKE
    return found


@lru_cache(maxsize=PAGES_KEPT)
def _stemmed(
    texts: tuple[str, ...], lang: str
) -> tuple[list[frozenset[str]], dict[str, tuple[str, ...]]]:
    """Return the stems of each text, and those of all by their first letters."""
    stems = [frozenset(analysis.stems(text, lang)) for text in texts]
    by_root: dict[str, tuple[str, ...]] = {}
    for stem in frozenset().union(*stems):
        root = stem[:SHORTEST_ROOT]
        by_root[root] = (*by_root.get(root, ()), stem)
    return stems, by_root


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


def rarity(asked: Asked, held: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the weight of each word, higher the fewer units hold it.

    A word that stands nowhere weighs too: what the others tell is then worth less.
    """
    return {
        word: counts * math.log(1 + len(held) / (1 + sum(word in one for one in held)))
        for word, counts in asked.counts.items()
    }


def _same_root(one: str, other: str) -> bool:
    if one[:SHORTEST_ROOT] != other[:SHORTEST_ROOT] or one == other:
        return False
    short, long = sorted((one, other), key=len)
    near = SHORTEST_ROOT <= len(short) >= len(long) - LONGEST_ENDING
    return near and long.startswith(short)


def smoothed(scores: Sequence[float]) -> list[float]:
    """Return the scores with a little of the better neighbour's."""
    padded = (0.0, *scores, 0.0)
    return [score + NEAR * max(padded[i], padded[i + 2]) for i, score in enumerate(scores)]
