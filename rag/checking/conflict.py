"""What a sentence says otherwise than a passage: a name, a number, a negation, an opposite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy

from rag.checking import facts
from rag.checking.claim import Claim
from rag.checking.evidence import Evidence
from rag.checking.passages import PassageFacts, Unit, flat
from rag.core.documents import Vectors
from rag.language.lexicon import Clause, against, contradicts

NEAR = 0.9  # of the best sentence's share of the words: what a number may stand in
AROUND = 0.5  # what the sentence's other clauses count when a clause is looked up
SAME_MEASURE = 0.4  # the same where the unit after the number is the same
MET = 0.7  # credit of a word that is the same
SAME = 0.8  # share of a sentence's words by which a unit says the same, whatever the heading
TALKED_OF = 0.35  # share of a clause's words by which a page's clause is about the same


@dataclass(frozen=True, slots=True)
class Named:
    """Hold what a sentence names letter by letter, and its words, folded.

    What stands in quotes, is pressed or is a name comes with its words as ``PassageFacts.flat`` has
    them; ``numbers`` are those of each clause, ``against`` the marks of what may oppose the words.
    """

    steps: frozenset[tuple[str, str]]
    codes: frozenset[str]
    addresses: frozenset[str]
    quoted: tuple[tuple[str, str], ...]
    pressed: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...]
    numbers: tuple[list[str], ...]
    words: Clause
    against: frozenset[object]


@dataclass(frozen=True)
class Part:
    """Hold how a sentence's words are met by those of one passage: (words, words + 1)."""

    passage: PassageFacts
    matched: Vectors

    @cached_property
    def met(self) -> Vectors:
        """Return how well each word is met by each unit: (words, units)."""
        return self.passage.said.best(self.matched)[:, :-2]


def named_in(claim: Claim) -> Named:
    """Return what a sentence names."""
    sentence = claim.text
    spoken = frozenset(facts.heard(sentence))
    return Named(
        steps=frozenset(facts.menu_steps(sentence)),
        codes=frozenset(facts.codes(sentence)),
        addresses=frozenset(facts.addresses(sentence)),
        quoted=_flattened(facts.quoted(sentence)),
        pressed=_flattened(facts.pressed(sentence)),
        names=_flattened(facts.names(sentence)),
        numbers=tuple(sorted(facts.numbers(clause)) for clause, _ in claim.clauses),
        words=Clause(spoken),
        against=against(spoken),
    )


def _flattened(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((text, flat(text)) for text in texts)


def part_of(evidence: Evidence, claim: Claim, number: int) -> Part:
    """Return how a sentence is met by the passage of this number, from 0."""
    matched = evidence.matched(claim.asked, claim.alike, number)
    return Part(evidence.passages[number], matched)


def conflict(part: Part, claim: Claim, named: Named) -> str:
    """Return what a passage does not say or says otherwise; nothing where they agree."""
    return _unknown(part.passage, named) or _changed(part, claim, named)


def _unknown(passage: PassageFacts, named: Named) -> str:
    """Return a name, code, address or menu path of a sentence that a passage does not hold."""
    for step in sorted(named.steps - passage.steps):
        return " > ".join(step)
    for code in sorted((named.codes - passage.codes) | (named.addresses - passage.addresses)):
        return code
    for text, plain in named.quoted:
        if plain.strip() and plain not in passage.flat:
            return text
    for name, plain in named.pressed:
        if name.split()[0] not in passage.capitals or plain not in passage.flat:
            return name
    for name, plain in named.names:
        if plain not in passage.flat:
            return name
    return ""


def _changed(part: Part, claim: Claim, named: Named) -> str:
    """Return the number, negation or opposite by which a sentence departs from a passage."""
    suspects = _suspects(part, claim)
    opposed = not (part.passage.written and named.against.isdisjoint(part.passage.marks))
    for (text, rows), values in zip(claim.clauses, named.numbers, strict=True):
        suspected = [row for row in rows if row in suspects]
        relevance = _relevance(part, claim, rows) if values or suspected else []
        missing = _missing_number(text, values, part.passage.units, relevance)
        if missing:
            return missing
        for row in suspected:
            if _is_denied_elsewhere(part, claim, row, rows, relevance):
                return "negation"
        if opposed and _is_opposite(part, claim, rows, named.words):
            return "opposite"
    return ""


def _relevance(part: Part, claim: Claim, rows: list[int]) -> list[float]:
    """Return how much each unit of a passage is about a clause of these rows."""
    own = claim.weights[rows] @ part.met[rows]
    relevance: list[float] = ((1 - AROUND) * own + AROUND * (claim.weights @ part.met)).tolist()
    return relevance


def _suspects(part: Part, claim: Claim) -> frozenset[int]:
    """Return the rows that may be denied on one side alone: what neither denies cannot."""
    if not part.passage.denials.size:
        return claim.denied
    met = numpy.maximum.reduce(part.matched.take(part.passage.denials, axis=1), axis=1)
    return claim.denied.union((met >= MET).nonzero()[0].tolist())


def _missing_number(
    text: str, values: Sequence[str], units: Sequence[Unit], relevance: Sequence[float]
) -> str:
    """Return a number that stands in none of the units which the clause is about."""
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
    part: Part, claim: Claim, row: int, rows: list[int], relevance: Sequence[float]
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
    own = (1 - AROUND) * claim.weights[rows].sum() + AROUND * claim.weights.sum()
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


def _is_opposite(part: Part, claim: Claim, rows: list[int], said: Clause) -> bool:
    """Say whether the page's clauses that are about the same say the opposite."""
    weights = claim.weights[rows]
    scores = (weights @ part.passage.clauses.best(part.matched[rows])).tolist()
    best = max(scores, default=0.0)
    if best < TALKED_OF * weights.sum():
        return False
    about = zip(scores, part.passage.written, strict=True)
    return all(contradicts(said, written) for score, written in about if score >= NEAR * best)
