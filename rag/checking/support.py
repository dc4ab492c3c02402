"""Does a passage say what a sentence says? Words met by stem and meaning, then facts compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag.analysis import fold
from rag.checking import facts
from rag.checking.evidence import Evidence
from rag.checking.passages import Passage, Unit, flat
from rag.types import Vectors

HEADING = 0.7  # what a word counts that only the passage's title or headings hold
ELSEWHERE = 0.5  # what a word counts that only another sentence of the passage holds
NEAR = 0.9  # of the best sentence's share of the words: what a number may stand in
AROUND = 0.5  # what the sentence's other clauses count when a clause is looked up
SAME_MEASURE = 0.4  # the same where the unit after the number is the same
MET = 0.7  # credit of a word that is the same
SAME = 0.8  # share of a sentence's words by which a unit says the same, whatever the heading
TALKED_OF = 0.35  # share of a clause's words by which a page's clause is about the same
Floats: TypeAlias = NDArray[numpy.float64]
POLARITY = ("negation", "opposite")
# fitted on the dev half, intercept first: python -m tests.quality.support --fit
BY_MEANING = (-5.7, 2.0, 2.1, 4.6, 1.0, 1.2)
BY_STEM = (-3.4, 3.2, 2.8, 0.0, 0.1, 0.0)  # without an encoder
THRESHOLD = 0.4  # the largest tenth that keeps 95 % of the dev half


@dataclass(frozen=True, slots=True)
class Support:
    """Say how surely, in [0, 1], a sentence is said by the passages, and by which, best first.

    ``conflict`` names what they do not say: a number, a name, ``negation``, ``opposite``. A
    sentence that tells nothing of the product holds without any passage.
    """

    score: float
    passages: tuple[int, ...] = ()
    conflict: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the sentence may be shown."""
        return not self.conflict and self.score >= THRESHOLD


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold a sentence's words and how they are met by the units.

    ``clauses`` are its clauses with their rows; ``met`` has shape (words, columns of units),
    ``matched`` (words, columns of words), ``weights`` (words,), ``cosines`` (columns of units,).
    """

    text: str
    clauses: tuple[tuple[str, tuple[int, ...]], ...]
    denied: frozenset[int]
    weights: Floats
    matched: Vectors
    met: Vectors
    cosines: Vectors
    things: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Hold what a sentence names letter by letter, and its words, folded."""

    steps: frozenset[tuple[str, str]]
    codes: frozenset[str]
    quoted: tuple[str, ...]
    pressed: tuple[str, ...]
    names: tuple[str, ...]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Part:
    """Hold how a sentence is met by one passage: `Claim`'s columns of that passage alone."""

    passage: Passage
    matched: Vectors
    met: Vectors


def support(evidence: Evidence, sentence: str) -> Support:
    """Return which passages say what a sentence says.

    Where the passage nearest to it denies it or says the opposite, no other passage counts.
    """
    claim = claimed(evidence, sentence) if evidence.passages else None
    if claim is None:
        told = facts.telling(sentence)
        return Support(0.0) if told else _bare(evidence, sentence)
    weights = BY_MEANING if evidence.knows_meaning else BY_STEM
    scores = [probability(row, weights) for row in features(evidence, claim).tolist()]
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    top = scores[order[0]]
    likely = [number for number in order if scores[number] >= THRESHOLD]
    named = _named(sentence) if likely else None
    holding: list[int] = []
    conflict = ""
    for number in likely:
        found = _conflict(_part(evidence, claim, number), claim, named) if named else ""
        if not found:
            holding.append(number + 1)
        elif found in POLARITY and not holding:
            return Support(top, conflict=found)
        conflict = conflict or found
    return Support(top, tuple(holding), "" if holding else conflict)


def features(evidence: Evidence, claim: Claim) -> Floats:
    """Return what speaks for each passage: (passages, 5).

    The share of the words met clause by clause, the share met anywhere in the passage, the best
    cosine with a unit, how well the things named are met, and 1 for a passage in another language.
    """
    rows = numpy.zeros((len(evidence.passages), len(BY_MEANING) - 1))
    (left, right), passage_of, starts = evidence.windows
    everywhere = evidence.anywhere(claim.matched)
    headed = claim.met.take(evidence.headings, axis=1)
    base = numpy.maximum(HEADING * headed, ELSEWHERE * everywhere)
    met = numpy.maximum(claim.met.take(left, axis=1), claim.met.take(right, axis=1))
    met = numpy.maximum(met, base.take(passage_of, axis=1))
    whole = 0.0
    for _, places in claim.clauses:
        own = claim.weights[list(places)]
        whole += own.sum()
        rows[:, 0] += numpy.maximum.reduceat(own @ met[list(places)], starts)
    rows[:, 0] /= whole or 1.0
    rows[:, 1] = claim.weights @ everywhere / (claim.weights.sum() or 1.0)
    rows[:, 2] = numpy.maximum.reduceat(claim.cosines[left], starts)
    rows[:, 3] = everywhere[list(claim.things)].mean(axis=0) if claim.things else 1.0
    rows[:, 4] = [passage.lang != evidence.lang for passage in evidence.passages]
    return rows


def probability(row: Sequence[float] | Floats, weights: Sequence[float] = BY_MEANING) -> float:
    """Return the probability that a passage of these features supports the sentence."""
    total = weights[0] + sum(w * x for w, x in zip(weights[1:], row, strict=True))
    return 1.0 / (1.0 + math.exp(-total))


def claimed(evidence: Evidence, sentence: str) -> Claim | None:
    """Return a sentence's words met by the evidence; None when it tells nothing."""
    told = facts.telling(sentence)
    if not told:
        return None
    place = {word: row for row, word in enumerate(told)}
    parts = [
        (part, tuple(place[word] for word in facts.telling(part)))
        for part in facts.clauses(sentence)
    ]
    denied = facts.negated(sentence)
    matched, cosines = evidence.compared(told, sentence)
    return Claim(
        text=sentence,
        clauses=tuple((part, rows) for part, rows in parts if rows),
        denied=frozenset(row for word, row in place.items() if fold(word) in denied),
        weights=evidence.weights(told),
        matched=matched,
        met=evidence.in_units(matched),
        cosines=cosines,
        things=tuple(place[w] for w in sorted(facts.determined(sentence)) if w in place),
    )


def _bare(evidence: Evidence, sentence: str) -> Support:
    """Judge a sentence without telling words: a number it has must stand in some passage."""
    said = facts.numbers(sentence)
    if not said:
        return Support(1.0)
    written = {number for one in evidence.passages for unit in one.units for number in unit.numbers}
    return Support(1.0, conflict="" if said <= written else "number")


def _named(sentence: str) -> Named:
    return Named(
        steps=frozenset(facts.menu_steps(sentence)),
        codes=frozenset(facts.codes(sentence)),
        quoted=tuple(facts.quoted(sentence)),
        pressed=tuple(facts.pressed(sentence)),
        names=tuple(facts.names(sentence)),
        words=frozenset(map(fold, facts.spoken(sentence))),
    )


def _part(evidence: Evidence, claim: Claim, number: int) -> Part:
    first, last = evidence.first_words[number : number + 2]
    start, end = evidence.first_units[number : number + 2]
    matched, met = claim.matched[:, first:last], claim.met[:, start : end - 2]
    return Part(evidence.passages[number], matched, met)


def _conflict(part: Part, claim: Claim, named: Named) -> str:
    return _unknown(part.passage, named) or _changed(part, claim, named)


def _unknown(passage: Passage, named: Named) -> str:
    """Return the first name, code or menu path of a sentence that a passage does not hold."""
    for step in named.steps - passage.steps:
        return " > ".join(step)
    for code in named.codes - passage.codes:
        return code
    for text in named.quoted:
        if flat(text).strip() and flat(text) not in passage.flat:
            return text
    for name in named.pressed:
        if name.split()[0] not in passage.capitals or flat(name) not in passage.flat:
            return name
    for name in named.names:
        if flat(name) not in passage.flat:
            return name
    return ""


def _changed(part: Part, claim: Claim, named: Named) -> str:
    """Return the number, negation or opposite by which a sentence departs from a passage."""
    total = claim.weights @ part.met
    for text, rows in claim.clauses:
        own = claim.weights[list(rows)] @ part.met[list(rows)]
        relevance = ((1 - AROUND) * own + AROUND * total).tolist()
        missing = _missing_number(text, part.passage.units, relevance)
        if missing:
            return missing
        for row in rows:
            if _is_denied_elsewhere(part, claim, row, rows, relevance):
                return "negation"
        if _is_opposite(part, claim, rows, named.words):
            return "opposite"
    return ""


def _missing_number(text: str, units: Sequence[Unit], relevance: Sequence[float]) -> str:
    """Return a number that stands in none of the units which the clause is about."""
    values = sorted(facts.numbers(text))
    if not values:
        return ""
    everyone = range(len(units))
    pairs = [(one, two) for one, two in pairwise(everyone) if units[one].line == units[two].line]
    windows = [(place,) for place in everyone] + pairs
    scores = [max(relevance[place] for place in window) for window in windows]
    top = max(scores, default=0.0)
    said = facts.measures(text)
    best_measures = {
        unit
        for window, score in zip(windows, scores, strict=True)
        if score >= NEAR * top
        for place in window
        for _, unit in units[place].measures
    }
    for value in values:
        measured = {one for one in said if one[0] == value}
        rivals = {unit for _, unit in measured} & best_measures
        held = (
            any(
                value in units[place].numbers
                and score
                >= top * (SAME_MEASURE if measured & units[place].measures and not rivals else NEAR)
                for place in window
            )
            for window, score in zip(windows, scores, strict=True)
        )
        if not any(held):
            return value
    return ""


def _is_denied_elsewhere(
    part: Part, claim: Claim, row: int, rows: Sequence[int], relevance: Sequence[float]
) -> bool:
    """Say whether a word is denied by the sentence or by the units which hold it, not by both."""
    passage = part.passage
    holding = numpy.flatnonzero(part.met[row] >= MET).tolist()
    if not holding:
        return False
    top = max(relevance[place] for place in holding)
    denied = row in claim.denied
    same = set(numpy.flatnonzero(part.matched[row] >= MET).tolist())
    headed = passage.denied if denied else passage.heading - passage.denied
    own = (1 - AROUND) * claim.weights[list(rows)].sum() + AROUND * claim.weights.sum()
    if top < SAME * own and not same.isdisjoint(headed):
        return False
    near = [passage.units[place] for place in holding if relevance[place] >= NEAR * top]
    denies = bool(claim.denied.intersection(rows))
    mentions = (
        (number in unit.denied) == denied or (denies and _denies_near(unit, number))
        for unit in near
        for number in unit.words & same
    )
    return not any(mentions)


def _denies_near(unit: Unit, number: int) -> bool:
    """Say whether something is denied in the clause of a unit which holds a word."""
    return any(number in held and held & unit.denied for held, _ in unit.clauses)


def _is_opposite(part: Part, claim: Claim, rows: Sequence[int], said: frozenset[str]) -> bool:
    """Say whether the page's clauses that are about the same say the opposite."""
    weights = claim.weights[list(rows)]
    scores = (weights @ part.passage.clauses.best(part.matched[list(rows)])).tolist()
    best = max(scores, default=0.0)
    if best < TALKED_OF * weights.sum():
        return False
    about = zip(scores, part.passage.written, strict=True)
    return all(facts.contradicts(said, written) for score, written in about if score >= NEAR * best)
