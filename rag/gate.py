"""Evidence to probability: does the best chunk answer the question at all?

A logistic model of six features, fitted and measured by `training/fit_gate.py`. Where the chunk
was not read closely (BM25 alone), the share of the question's words that it holds stands in.
"""

from __future__ import annotations

import math

from rag.core.answers import Confidence
from rag.ranking import Evidence

BIAS, WEIGHTS = -3.75, (2.15, 2.2, 1.88, 2.07, 0.09, 0.19)  # in the order of `evidence_row`
# of 64 silent questions to five manuals and the sample pages 6 % are above the second
PERHAPS, SURE = 0.35, 0.55


def evidence_row(evidence: Evidence) -> list[float]:
    """Return the features: score, margin, words, coverage, unknown, length."""
    held = (evidence.words or 0.0, evidence.coverage)
    return [evidence.score, evidence.margin, *held, evidence.unknown, float(evidence.length)]


def probability(evidence: Evidence) -> float:
    """Return the probability in [0, 1] that the best chunk answers."""
    if evidence.words is None:
        return evidence.coverage
    logit = BIAS + sum(w * x for w, x in zip(WEIGHTS, evidence_row(evidence), strict=True))
    return 1 / (1 + math.exp(-logit))


def confidence(evidence: Evidence) -> Confidence:
    """Return how sure it is that the pages answer: ``no``, they say nothing of it."""
    found = probability(evidence)
    if evidence.length == 0 or found < PERHAPS:
        return "no"
    return "sure" if found >= SURE else "perhaps"


def answers(evidence: Evidence) -> bool:
    """Say whether the evidence is enough to show what the pages say, surely or perhaps."""
    return confidence(evidence) != "no"
