"""How sure a figure is: bootstrap intervals of means, and a paired test of two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import orjson

from rag.core.errors import DatasetError
from rag.core.invocation import command

RESAMPLES = 1_000
PERMUTATIONS = 20_000
CONFIDENCE = 0.95
LEVEL = 0.05
SEED = 4
_BATCH = 1_000  # permutations at once: bounds the memory

PerQuestion = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold a measure's means in two runs, ``b`` minus ``a``, and how likely chance alone is."""

    a: float
    b: float
    difference: float
    p: float
    significant: bool


def confidence_intervals(values: Any) -> list[tuple[float, float]]:
    """Return a 95 % interval of each column's mean: the percentile bootstrap over questions.

    ``values`` has shape (questions, measures). The seed is fixed: equal values, equal intervals.
    Source: Efron & Tibshirani 1993, chapter 13.
    """
    rows = numpy.asarray(values, numpy.float64)
    drawn = numpy.random.default_rng(SEED)
    weights = numpy.full(len(rows), 1 / len(rows))
    means = drawn.multinomial(len(rows), weights, RESAMPLES) @ rows / len(rows)
    tail = (1 - CONFIDENCE) / 2
    low, high = numpy.quantile(means, (tail, 1 - tail), axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def compare(first: Path, second: Path) -> dict[str, Any]:
    """Test whether two reports of `evaluate --json` differ, measure by measure.

    Raises: DatasetError when a file is no such report or when they are of different questions.
    """
    (set_a, a), (set_b, b) = _read_report(first), _read_report(second)
    if a.keys() != b.keys():
        alone = sorted(a.keys() ^ b.keys())
        raise DatasetError(
            f"{first} and {second} are about different questions: {len(alone)} stand in one only,"
            f" such as {alone[0]!r}. Evaluate both with the same set."
        )
    if set_a != set_b:
        raise DatasetError(
            f"{first} and {second} number their questions alike, but ask or judge other things."
            " Evaluate both with the same set."
        )
    return {"queries": len(a), "measures": differences(a, b)}


def differences(a: PerQuestion, b: PerQuestion) -> dict[str, Difference]:
    """Return each measure's difference between two runs on the same questions."""
    names = [name for name in next(iter(a.values())) if name in next(iter(b.values()))]
    left, right = _table(a, sorted(a), names), _table(b, sorted(a), names)
    p_values = randomisation_test(right - left)
    means = zip(left.mean(axis=0).tolist(), right.mean(axis=0).tolist(), strict=True)
    return {
        name: Difference(before, after, after - before, p, p < LEVEL)
        for name, (before, after), p in zip(names, means, p_values, strict=True)
    }


def randomisation_test(pairs: Any) -> list[float]:
    """Return the two-sided p-value of each column of paired differences, in (0, 1].

    Under the null hypothesis each difference's sign is a coin toss: signs are tossed 20,000 times
    with a fixed seed, and means at least as far from 0 as the one seen are counted.
    Source: Smucker, Allan & Carterette 2007, the randomization test.
    """
    rows = numpy.asarray(pairs, numpy.float64)
    seen = numpy.abs(rows.sum(axis=0)) - 1e-9  # equal sums may differ in their last bits
    drawn = numpy.random.default_rng(SEED)
    extreme = numpy.zeros(rows.shape[1], numpy.int64)
    for _ in range(PERMUTATIONS // _BATCH):
        signs = drawn.integers(0, 2, (_BATCH, len(rows)), numpy.int8) * 2.0 - 1.0
        extreme += (numpy.abs(signs @ rows) >= seen).sum(axis=0)
    p_values: list[float] = ((extreme + 1) / (PERMUTATIONS + 1)).tolist()
    return p_values


def _table(values: PerQuestion, ids: Sequence[str], names: Sequence[str]) -> Any:
    return numpy.array([[values[i][name] for name in names] for i in ids], numpy.float64)


def _read_report(path: Path) -> tuple[str, PerQuestion]:
    try:
        report = orjson.loads(path.read_bytes())
        values: PerQuestion = report["per_query"]
        if _is_table(values):
            return report["set"], values
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise DatasetError(
        f"{path} is no report of `evaluate`. Make one: {command('evaluate --beir DIR --json')}"
    )


def _is_table(values: Any) -> bool:
    rows = list(values.values())
    return bool(rows) and all(
        row.keys() == rows[0].keys() and all(isinstance(v, (int, float)) for v in row.values())
        for row in rows
    )
