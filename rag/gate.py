"""Evidence to probability: does the best chunk answer the question at all?

A logistic model of six features, fitted and measured by `training/fit_gate.py`. Where the chunk
was not read closely (BM25 alone), the share of the question's words that it holds stands in.
"""

from __future__ import annotations

import math

from rag.ranking import Evidence

BIAS, WEIGHTS = -3.75, (2.15, 2.2, 1.88, 2.07, 0.09, 0.19)  # in the order of `evidence_row`
THRESHOLD = 0.35
CERTAIN = 0.8


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


def answers(evidence: Evidence) -> bool:
    """Say whether the evidence is enough to answer from the pages."""
    return evidence.length > 0 and probability(evidence) >= THRESHOLD


def is_certain(evidence: Evidence) -> bool:
    """Say whether the evidence leaves little doubt that the pages answer."""
    return answers(evidence) and probability(evidence) >= CERTAIN
