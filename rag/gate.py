"""Evidence to probability: do the pages answer the question at all?

A logistic model of two features, fitted on questions with and without an answer in the pages.
"""

from __future__ import annotations

import math

from rag.retriever import Evidence

BIAS, COSINE, COVERAGE = -5.0, 6.0, 4.0
THRESHOLD = 0.5


def probability(evidence: Evidence) -> float:
    """Return the probability in [0, 1] that the best passage answers."""
    return 1 / (1 + math.exp(-(BIAS + COSINE * evidence.cosine + COVERAGE * evidence.coverage)))


def answers(evidence: Evidence) -> bool:
    """Say whether the evidence is enough to answer from the pages."""
    return probability(evidence) >= THRESHOLD
