"""Measure which sentences are kept and which dropped, on sentences about the sample pages:

python -m tests.quality.support [--failed] [--fit]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy
from numpy.typing import NDArray

from indexer.chunker import chunk_page
from indexer.parsers import parse_page
from rag.checking import support as rule
from rag.checking.evidence import Evidence
from rag.core.documents import Chunk, Hit
from rag.encoders import bundled_encoder

CORPUS = Path(__file__).parents[2] / "corpus"
ITEMS = [
    json.loads(line)
    for line in Path(__file__).with_suffix(".jsonl").read_text("utf-8").splitlines()
]
THRESHOLDS = (0.3, 0.4, 0.5, 0.7)
RIDGE = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold a sentence with the rule's judgement; ``row`` None when it tells nothing."""

    item: dict
    support: rule.Support
    row: NDArray[numpy.float64] | None


@cache
def chunks_of(page: str) -> tuple[Chunk, ...]:
    """Return the chunks of a sample page."""
    parsed = parse_page((CORPUS / page).read_bytes(), page)
    return tuple(chunk_page(parsed, bundled_encoder().count_tokens))


def passages(names: Sequence[str]) -> list[Hit]:
    """Return the chunks of ``page#headings`` as the passages of an answer."""
    found = []
    for name in names:
        page, _, heading = name.partition("#")
        found += [chunk for chunk in chunks_of(page) if chunk.heading == heading]
    return [Hit(chunk, 1.0, rank) for rank, chunk in enumerate(found, 1)]


def judged(*, meaning: bool = True) -> list[Judged]:
    """Return the rule's judgement of every sentence, by meaning or by stems alone."""
    encoder = bundled_encoder() if meaning else None
    weights = rule.BY_MEANING if meaning else rule.BY_STEM
    known: dict[tuple[str, ...], Evidence] = {}
    found = []
    for item in ITEMS:
        key = (item["lang"], *item["passages"])
        if key not in known:
            known[key] = Evidence(passages(item["passages"]), item["lang"], encoder)
        claim = rule.claimed(known[key], item["sentence"])
        rows = [] if claim is None else list(rule.features(known[key], claim))
        best = max(rows, key=lambda row: rule.probability(row, weights), default=None)
        found.append(Judged(item, rule.support(known[key], item["sentence"]), best))
    return found


def holds(one: Judged, threshold: float = rule.THRESHOLD) -> bool:
    """Say whether a sentence is kept at a threshold at or above the rule's own, or at it."""
    return not one.support.conflict and one.support.score >= threshold


def wilson(count: int, total: int) -> str:
    """Return a share with its 95 % interval (Wilson 1927)."""
    if not total:
        return "–"
    z, share = 1.96, count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return f"{share:.0%} ({middle - half:.0%}–{middle + half:.0%}) of {total}"


def shares(found: Sequence[Judged], keep: Callable[[dict], bool], threshold: float) -> str:
    """Return a row's two cells: supported and kept, unsupported and dropped."""
    part = [one for one in found if keep(one.item)]
    good = [holds(one, threshold) for one in part if one.item["supported"]]
    bad = [not holds(one, threshold) for one in part if not one.item["supported"]]
    return f"{wilson(sum(good), len(good))} | {wilson(sum(bad), len(bad))}"


def tables(found: Sequence[Judged], stems: Sequence[Judged]) -> str:
    """Return the figures by half, language and kind, and the curve, as Markdown."""
    own = rule.THRESHOLD
    lines = ["| sentences | supported, kept | unsupported, dropped |", "|---|--:|--:|"]
    for half in ("test", "dev"):
        lines.append(f"| {half} | {shares(found, lambda i, h=half: i['half'] == h, own)} |")
        for lang in ("fr", "en"):
            cells = shares(found, lambda i, h=half, g=lang: (i["half"], i["lang"]) == (h, g), own)
            lines.append(f"| {half}, {lang} | {cells} |")
        cells = shares(stems, lambda i, h=half: (i["half"], i["lang"]) == (h, "fr"), own)
        lines.append(f"| {half}, fr, by stems alone | {cells} |")
    for kind in sorted({item["kind"] for item in ITEMS}):
        cells = shares(found, lambda i, k=kind: (i["half"], i["kind"]) == ("test", k), own)
        lines.append(f"| test, {kind} | {cells} |")
    lines += ["", "| threshold | dev: kept | dev: dropped | test: kept | test: dropped |"]
    lines.append("|--:|--:|--:|--:|--:|")
    for threshold in THRESHOLDS:
        rule.THRESHOLD = threshold
        again = judged()
        halves = [
            shares(again, lambda i, h=half: i["half"] == h, threshold) for half in ("dev", "test")
        ]
        lines.append(f"| {threshold} | {' | '.join(halves)} |")
    rule.THRESHOLD = own
    return "\n".join(lines)


def fitted(found: Sequence[Judged]) -> list[float]:
    """Return the weights that tell the dev half's sentences apart, those in conflict left out."""
    part = [
        one
        for one in found
        if one.item["half"] == "dev" and one.row is not None and not one.support.conflict
    ]
    rows = numpy.array([[1.0, *one.row] for one in part])
    wanted = numpy.array([float(one.item["supported"]) for one in part])
    ridge = numpy.diag([0.0] + [RIDGE] * (rows.shape[1] - 1))
    weights = numpy.zeros(rows.shape[1])
    for _ in range(50):  # Newton's method for the logistic likelihood
        expected = 1 / (1 + numpy.exp(-rows @ weights))
        slope = rows.T @ (expected - wanted) + ridge @ weights
        curve = rows.T @ (rows * (expected * (1 - expected))[:, None]) + ridge
        weights -= numpy.linalg.solve(curve, slope)
    return [round(float(weight), 1) for weight in weights]


def main() -> None:
    """Print the figures; with --fit the weights, with --failed the dev half's mistakes."""
    found, stems = judged(), judged(meaning=False)
    if "--fit" in sys.argv:
        print(f"BY_MEANING = {fitted(found)}\nBY_STEM = {fitted(stems)}")
        return
    print(tables(found, stems))
    if "--failed" in sys.argv:
        for one in found:
            if one.item["half"] == "dev" and holds(one) != one.item["supported"]:
                print(one.item["supported"], one.support, one.item["sentence"])


if __name__ == "__main__":
    main()
