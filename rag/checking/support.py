"""Does a passage say what a sentence says? Words met by stem and meaning, then facts compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

import numpy

from rag.checking import facts
from rag.checking.claim import Claim, claimed
from rag.checking.conflict import Part, conflict, named_in, part_of
from rag.checking.evidence import ALIKE, Evidence

POLARITY = ("negation", "opposite")
# fitted on the dev half, intercept first: python -m tests.quality.support --fit
BY_MEANING = (-5.7, 2.0, 2.1, 4.6, 1.0, 1.2)
BY_STEM = (-3.4, 3.2, 2.8, 0.0, 0.1, 0.0)  # without an encoder
ROUNDING = 1e-6  # more than the last digits of two sums of the same numbers
THRESHOLD = 0.4  # the largest tenth that keeps 95 % of the dev half


@dataclass(frozen=True, slots=True)
class Support:
    """Say how surely, in [0, 1], a sentence is said by the passages, and by which, best first.

    ``conflict`` names what they do not say: a number, a name, ``negation``, ``opposite``. A
    sentence that tells nothing of the product holds without any passage. Below the threshold the
    score is an upper limit.
    """

    score: float
    passages: tuple[int, ...] = ()
    conflict: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the sentence may be shown."""
        return not self.conflict and self.score >= THRESHOLD


def support(evidence: Evidence, sentence: str) -> Support:
    """Return which passages say what a sentence says.

    Where the passage nearest to it denies it or says the opposite, no other passage counts.
    """
    claim = claimed(evidence, sentence) if evidence.passages else None
    if claim is None:
        told = facts.telling(sentence)
        return Support(0.0) if told else _bare(evidence, sentence)
    scores, parts = _judged(evidence, claim)
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    top = scores[order[0]]
    likely = [number for number in order if scores[number] >= THRESHOLD]
    named = named_in(claim) if likely else None
    holding: list[int] = []
    first = ""
    for number in likely:
        found = conflict(parts[number], claim, named) if named else ""
        if not found:
            holding.append(number + 1)
        elif found in POLARITY and not holding:
            return Support(top, conflict=found)
        first = first or found
    return Support(top, tuple(holding), "" if holding else first)


def features(evidence: Evidence, claim: Claim) -> list[tuple[float, ...]]:
    """Return what speaks for each passage: (passages, 5).

    The share of the words met clause by clause, the share met anywhere in the passage, the best
    cosine with a unit, how well the things named are met, and 1 for a passage in another language.
    """
    limits = _limits(evidence, claim)
    return [
        _features(part_of(evidence, claim, number), claim, limit)
        for number, limit in enumerate(limits)
    ]


def _judged(evidence: Evidence, claim: Claim) -> tuple[list[float], dict[int, Part]]:
    """Return how surely each passage says it, and the parts of those that may.

    Most cannot reach the threshold whatever their words mean, so that these are not compared.
    """
    weights = BY_MEANING if evidence.knows_meaning else BY_STEM
    limits = _limits(evidence, claim)
    scores = [probability(limit, weights) for limit in limits]
    parts = {
        number: part_of(evidence, claim, number)
        for number, score in enumerate(scores)
        if score >= THRESHOLD - ROUNDING
    }
    for number, part in parts.items():
        scores[number] = probability(_features(part, claim, limits[number]), weights)
    return scores, parts


def _limits(evidence: Evidence, claim: Claim) -> list[tuple[float, ...]]:
    """Return each passage's features at their highest: all other words as near as they can be."""
    weights = claim.weights.tolist()
    total = sum(weights) or 1.0
    whole = sum(claim.in_clauses) or 1.0
    other = ALIKE if evidence.knows_meaning else 0.0
    limits: list[tuple[float, ...]] = []
    for number, passage in enumerate(evidence.passages):
        met = [1.0 if same[number] else other for same in claim.alike]
        share = sum(map(mul, claim.in_clauses, met)) / whole
        anywhere = sum(map(mul, weights, met)) / total
        things = sum(met[row] for row in claim.things) / len(claim.things) if claim.things else 1.0
        foreign = float(passage.lang != evidence.lang)
        limits.append((share, anywhere, claim.nearest[number], things, foreign))
    return limits


def _features(part: Part, claim: Claim, limit: tuple[float, ...]) -> tuple[float, ...]:
    """Return a passage's features, given their limits."""
    anywhere = numpy.maximum.reduce(part.matched, axis=1)
    weights = claim.weights.tolist()
    share = sum(map(mul, weights, anywhere.tolist())) / (sum(weights) or 1.0)
    things = float(anywhere[claim.things].mean()) if claim.things else 1.0
    return (_share(part, claim), share, limit[2], things, limit[4])


def _share(part: Part, claim: Claim) -> float:
    """Return the share of the words that a passage's windows meet, each clause by its best."""
    met = numpy.maximum.reduce(part.matched[:, None, :] * part.passage.reach, axis=2)
    best = sum(max((claim.weights[rows] @ met[rows]).tolist()) for _, rows in claim.clauses)
    return best / (sum(claim.in_clauses) or 1.0)


def probability(row: Sequence[float], weights: Sequence[float] = BY_MEANING) -> float:
    """Return the probability that a passage of these features supports the sentence."""
    total = weights[0] + sum(map(mul, weights[1:], row))
    return 1.0 / (1.0 + math.exp(-total))


def _bare(evidence: Evidence, sentence: str) -> Support:
    """Judge a sentence without telling words: a number it has must stand in some passage."""
    for address in facts.addresses(sentence):
        if all(address not in one.addresses for one in evidence.passages):
            return Support(1.0, conflict=address)
    said = facts.numbers(sentence)
    if not said:
        return Support(1.0)
    written = {number for one in evidence.passages for unit in one.units for number in unit.numbers}
    return Support(1.0, conflict="" if said <= written else "number")
