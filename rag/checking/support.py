"""Does a passage say what a sentence says? Words met by stem and meaning, then facts compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from rag.checking import facts
from rag.checking.claim import Claim, Floats, claimed
from rag.checking.conflict import conflict, named_in, part_of
from rag.checking.evidence import Evidence

HEADING = 0.7  # what a word counts that only the passage's title or headings hold
ELSEWHERE = 0.5  # what a word counts that only another sentence of the passage holds
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
    named = named_in(sentence) if likely else None
    holding: list[int] = []
    first = ""
    for number in likely:
        found = conflict(part_of(evidence, claim, number), claim, named) if named else ""
        if not found:
            holding.append(number + 1)
        elif found in POLARITY and not holding:
            return Support(top, conflict=found)
        first = first or found
    return Support(top, tuple(holding), "" if holding else first)


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


def _bare(evidence: Evidence, sentence: str) -> Support:
    """Judge a sentence without telling words: a number it has must stand in some passage."""
    known = frozenset().union(*(one.addresses for one in evidence.passages))
    for address in facts.addresses(sentence) - known:
        return Support(1.0, conflict=address)
    said = facts.numbers(sentence)
    if not said:
        return Support(1.0)
    written = {number for one in evidence.passages for unit in one.units for number in unit.numbers}
    return Support(1.0, conflict="" if said <= written else "number")
