"""Does a passage say what a sentence says? Words met by stem and meaning, then facts compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag.analysis import fold, words
from rag.checking import facts
from rag.checking.evidence import Evidence, Unit, flat
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

    ``clauses`` are its clauses with their rows; ``met`` has shape (words, units), ``matched``
    (words, vocabulary + 1), ``weights`` (words,).
    """

    text: str
    clauses: tuple[tuple[str, tuple[int, ...]], ...]
    denied: frozenset[int]
    weights: NDArray[numpy.float64]
    matched: Vectors
    met: Vectors
    things: tuple[int, ...]


def support(evidence: Evidence, sentence: str) -> Support:
    """Return which passages say what a sentence says.

    Where the passage nearest to it denies it or says the opposite, no other passage counts.
    """
    claim = claimed(evidence, sentence)
    if claim is None:
        return _bare(evidence, sentence)
    weights = BY_MEANING if evidence.knows_meaning else BY_STEM
    scores = [probability(row, weights) for row in features(evidence, claim)]
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    top = scores[order[0]] if order else 0.0
    holding: list[int] = []
    conflict = ""
    for number in order:
        if scores[number] < THRESHOLD:
            break
        found = _conflict(evidence, claim, number)
        if not found:
            holding.append(number + 1)
        elif found in POLARITY and not holding:
            return Support(top, conflict=found)
        conflict = conflict or found
    return Support(top, tuple(holding), "" if holding else conflict)


def features(evidence: Evidence, claim: Claim) -> NDArray[numpy.float64]:
    """Return what speaks for each passage: (passages, 5).

    The share of the words met clause by clause, the share met anywhere in the passage, the best
    cosine with a unit, how well the things named are met, and 1 for a passage in another language.
    """
    cosines = evidence.cosines(claim.text)
    rows = []
    for number, passage in enumerate(evidence.passages):
        everywhere = _best(claim.matched, passage.words)
        base = numpy.maximum(
            HEADING * _best(claim.matched, passage.heading), ELSEWHERE * everywhere
        )
        mine = numpy.flatnonzero(evidence.passage_of == number)
        met = numpy.maximum(_windows(evidence, claim.met, mine), base[:, None])
        covered, sums = [], []
        for _, places in claim.clauses:
            weights = claim.weights[list(places)]
            sums.append(weights.sum())
            covered.append(float((weights @ met[list(places)]).max() / sums[-1]))
        whole = float(claim.weights @ everywhere / claim.weights.sum())
        cosine = float(cosines[mine].max()) if mine.size else 0.0
        things = float(everywhere[list(claim.things)].mean()) if claim.things else 1.0
        row = (numpy.average(covered, weights=sums), whole, cosine, things)
        rows.append((*row, float(passage.lang != evidence.lang)))
    return numpy.array(rows).reshape(-1, len(BY_MEANING) - 1)


def probability(
    row: Sequence[float] | NDArray[numpy.float64], weights: Sequence[float] = BY_MEANING
) -> float:
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
    matched = evidence.credits(told)
    return Claim(
        text=sentence,
        clauses=tuple((part, rows) for part, rows in parts if rows),
        denied=frozenset(row for word, row in place.items() if fold(word) in denied),
        weights=evidence.weights(told),
        matched=matched,
        met=evidence.unit_credits(matched),
        things=tuple(place[w] for w in sorted(facts.determined(sentence)) if w in place),
    )


def _bare(evidence: Evidence, sentence: str) -> Support:
    """Judge a sentence without telling words: a number it has must stand in some passage."""
    said = facts.numbers(sentence)
    written = {number for unit in evidence.units for number in unit.numbers}
    return Support(1.0, conflict="" if said <= written else "number")


def _best(matched: Vectors, found: frozenset[int]) -> Vectors:
    columns = sorted(found) or [-1]
    return numpy.asarray(matched[:, columns].max(axis=1))


def _windows(evidence: Evidence, met: Vectors, mine: NDArray[numpy.int64]) -> Vectors:
    """Return the credits of single units and of pairs of neighbours: (words, windows)."""
    if not mine.size:
        return numpy.zeros((len(met), 1), numpy.float32)
    single = met[:, mine]
    return numpy.hstack([single, numpy.maximum(single[:, :-1], single[:, 1:])])


def _conflict(evidence: Evidence, claim: Claim, number: int) -> str:
    return _unknown(evidence, claim.text, number) or _changed(evidence, claim, number)


def _unknown(evidence: Evidence, sentence: str, number: int) -> str:
    """Return the first name, code or menu path of a sentence that a passage does not hold."""
    passage = evidence.passages[number]
    for step in facts.menu_steps(sentence) - passage.steps:
        return " > ".join(step)
    for code in facts.codes(sentence) - passage.codes:
        return code
    for text in facts.quoted(sentence):
        if flat(text).strip() and flat(text) not in passage.flat:
            return text
    for name in facts.pressed(sentence):
        if name.split()[0] not in passage.capitals or flat(name) not in passage.flat:
            return name
    for name in facts.names(sentence):
        if flat(name) not in passage.flat:
            return name
    return ""


def _changed(evidence: Evidence, claim: Claim, number: int) -> str:
    """Return the number, negation or opposite by which a sentence departs from a passage."""
    mine = [place for place, unit in enumerate(evidence.units) if unit.passage == number]
    total = claim.weights @ claim.met
    for text, rows in claim.clauses:
        own = claim.weights[list(rows)] @ claim.met[list(rows)]
        relevance = (1 - AROUND) * own + AROUND * total
        missing = _missing_number(text, evidence.units, mine, relevance)
        if missing:
            return missing
        for row in rows:
            if _is_denied_elsewhere(evidence, claim, row, rows, mine, relevance):
                return "negation"
        if _is_opposite(claim, rows, [evidence.units[place] for place in mine]):
            return "opposite"
    return ""


def _missing_number(
    text: str, units: Sequence[Unit], mine: Sequence[int], relevance: Floats
) -> str:
    """Return a number that stands in none of the units which the clause is about."""
    pairs = [(one, two) for one, two in pairwise(mine) if units[one].line == units[two].line]
    windows = [(place,) for place in mine] + pairs
    scores = [max(float(relevance[place]) for place in window) for window in windows]
    top = max(scores, default=0.0)
    said = facts.measures(text)
    best_measures = {
        unit
        for window, score in zip(windows, scores, strict=True)
        if score >= NEAR * top
        for place in window
        for _, unit in units[place].measures
    }
    for value in sorted(facts.numbers(text)):
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
    evidence: Evidence,
    claim: Claim,
    row: int,
    rows: Sequence[int],
    mine: Sequence[int],
    relevance: Floats,
) -> bool:
    """Say whether a word is denied by the sentence or by the units which hold it, not by both."""
    passage = evidence.passages[evidence.units[mine[0]].passage]
    holding = [place for place in mine if claim.met[row, place] >= MET]
    if not holding:
        return False
    top = max(float(relevance[place]) for place in holding)
    denied = row in claim.denied
    headed = passage.denied if denied else passage.heading - passage.denied
    own = (1 - AROUND) * claim.weights[list(rows)].sum() + AROUND * claim.weights.sum()
    if top < SAME * own and _best(claim.matched[row : row + 1], headed)[0] >= MET:
        return False
    near = [evidence.units[place] for place in holding if relevance[place] >= NEAR * top]
    denies = bool(claim.denied.intersection(rows))
    mentions = [
        (number in unit.denied) == denied or (denies and _denies_near(unit, number))
        for unit in near
        for number in unit.words
        if claim.matched[row, number] >= MET
    ]
    return not any(mentions)


def _denies_near(unit: Unit, number: int) -> bool:
    """Say whether something is denied in the clause of a unit which holds a word."""
    return any(number in held and held & unit.denied for held, _ in unit.clauses)


def _is_opposite(claim: Claim, rows: Sequence[int], units: Sequence[Unit]) -> bool:
    """Say whether the page's clauses that are about the same say the opposite."""
    weights = claim.weights[list(rows)]
    about = [
        (float(weights @ _best(claim.matched[list(rows)], held)), written)
        for unit in units
        for held, written in unit.clauses
        if held
    ]
    best = max((score for score, _ in about), default=0.0)
    if best < TALKED_OF * weights.sum():
        return False
    said = set(map(fold, words(claim.text)))
    return all(facts.contradicts(said, written) for score, written in about if score >= NEAR * best)
