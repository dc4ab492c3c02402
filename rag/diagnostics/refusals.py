"""How well the evidence gate refuses, and whether its probability means what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BINS = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold the gate's opinion of a question, and the truth.

    ``answerable``: a page answers it. ``right``: the first page found is one that does, which
    ``probability`` foretells.
    """

    answerable: bool
    right: bool
    refused: bool
    probability: float


def refusals(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the precision and recall of refusing, None where there is nothing to divide by.

    Precision: the share of the refused questions that no page answers. Recall: the share of the
    questions that no page answers that are refused.
    """
    refused = [verdict for verdict in verdicts if verdict.refused]
    hopeless = [verdict for verdict in verdicts if not verdict.answerable]
    rightly = sum(not verdict.answerable for verdict in refused)
    return {
        "refusal_precision": rightly / len(refused) if refused and hopeless else None,
        "refusal_recall": rightly / len(hopeless) if hopeless else None,
        "refused": len(refused),
        "wrongly_refused": len(refused) - rightly,
        "unanswerable": len(hopeless),
    }


def calibration(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the expected calibration error and the reliability table, in ten equal bins.

    The error is the mean distance between what a bin foretells and what came true, weighted by
    its questions. Source: Guo et al. 2017, equations 2 and 3.
    """
    bins: list[list[Verdict]] = [[] for _ in range(BINS)]
    for verdict in verdicts:
        bins[min(int(verdict.probability * BINS), BINS - 1)].append(verdict)
    rows = [_reliability(number, held) for number, held in enumerate(bins) if held]
    error = sum(row["queries"] * abs(row["foretold"] - row["right"]) for row in rows)
    return {"calibration_error": error / len(verdicts), "reliability": rows}


def _reliability(number: int, held: Sequence[Verdict]) -> dict[str, float]:
    return {
        "from": number / BINS,
        "to": (number + 1) / BINS,
        "queries": len(held),
        "foretold": sum(verdict.probability for verdict in held) / len(held),
        "right": sum(verdict.right for verdict in held) / len(held),
    }
