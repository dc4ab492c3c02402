"""Measure what the page that the asker is on does to the ranking, at several weights.

    python bench/page_prior.py [--json]

Indexes the sample pages and asks `tests/quality/questions.jsonl` from no page, from a page that
answers, from a random other one and from another one of the same folder; then
`tests/quality/ambiguous.jsonl`: short questions (« comment supprimer ? ») with the page that they
are asked from, which mostly answers them. Every second question of each is the half on which the
weight was chosen, `dev`; the others are `test`. `displaced` is the share of the questions that are
answered first without a page and no longer with it. Intervals are 95 %.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer import pipeline
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.diagnostics.significance import confidence_intervals
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.retriever import PAGE_PRIOR, Retriever
from rag.stores.sqlite import SqliteStore

ROOT = Path(__file__).parent.parent
QUALITY = ROOT / "tests" / "quality"
WEIGHTS = (0.0, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
EVERY_PAGE = 1_000  # chunks asked for: no page that was ranked is cut off
SEED = 4
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """Hold a question's pages with their scores, those that answer, and where it is asked from."""

    half: str
    situation: str
    scores: dict[str, float]
    right: frozenset[str]
    page: str | None

    def rank(self, weight: float) -> int:
        """Return the rank of the best page that answers, with a prior of this weight."""
        raised = {p: score + weight * (p == self.page) for p, score in self.scores.items()}
        order = sorted(raised, key=lambda page: -raised[page])
        return next((n for n, page in enumerate(order, 1) if page in self.right), len(order) + 1)


def cases(retriever: Retriever, pages: Sequence[str]) -> Iterator[Case]:
    """Yield every question in every situation."""
    drawn = random.Random(SEED)
    answered = (one for one in _rows("questions.jsonl") if one["page"])
    for number, asked in enumerate(answered):
        half, scores = _half(number), page_scores(retriever, asked["question"])
        right = frozenset([asked["page"], *asked.get("pages", [])])
        others = [page for page in pages if page not in right]
        near = [page for page in others if Path(page).parent == Path(asked["page"]).parent]
        yield Case(half, "no page", scores, right, None)
        yield Case(half, "a page that answers", scores, right, asked["page"])
        yield Case(half, "a random other page", scores, right, drawn.choice(others))
        yield Case(half, "another of its folder", scores, right, drawn.choice(near))
    for number, asked in enumerate(_rows("ambiguous.jsonl")):
        scores = page_scores(retriever, asked["question"])
        own = asked["page"] == asked["expected"]
        situation = "short, its page answers" if own else "short, another page answers"
        yield Case(_half(number), situation, scores, frozenset([asked["expected"]]), asked["page"])


def page_scores(retriever: Retriever, question: str) -> dict[str, float]:
    """Return the score of each page's best chunk, best first, without a prior."""
    hits = retriever.retrieve(read_question(question), EVERY_PAGE, timeout_s=TIMEOUT_S).hits
    scores: dict[str, float] = {}
    for hit in hits:
        scores.setdefault(hit.chunk.page, hit.score)
    return scores


def row(found: Sequence[Case], weight: float) -> dict[str, Any]:
    """Return the figures of some cases at a weight."""
    before = [case.rank(0.0) == 1 for case in found]
    ranks = [case.rank(weight) for case in found]
    firsts, threes = [rank == 1 for rank in ranks], [rank <= 3 for rank in ranks]
    lost = sum(was and not is_ for was, is_ in zip(before, firsts, strict=True))
    return {
        "questions": len(found),
        "weight": weight,
        "success_1": round(sum(firsts) / len(found), 3),
        "interval": [round(x, 3) for x in confidence_intervals([[x] for x in firsts])[0]],
        "success_3": round(sum(threes) / len(found), 3),
        "displaced": round(lost / (sum(before) or 1), 3),
    }


def measure() -> list[dict[str, Any]]:
    """Return a row for each half, situation and weight."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "index.sqlite3")
        pipeline.run([ROOT / "corpus"], store, bundled_encoder())
        found = list(cases(open_retriever(Settings(), store), sorted(store.records())))
        store.close()
    rows = []
    for half in ("dev", "test"):
        for situation in dict.fromkeys(case.situation for case in found):
            own = [case for case in found if (case.half, case.situation) == (half, situation)]
            rows += [{"half": half, "asked_from": situation, **row(own, w)} for w in WEIGHTS]
    return rows


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (QUALITY / name).read_text("utf-8").splitlines()]


def _half(number: int) -> str:
    return "test" if number % 2 else "dev"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure()
    if options.json:
        print(json.dumps({"weight": PAGE_PRIOR, "rows": rows}, indent=2))
        return
    print(f"weight in force: {PAGE_PRIOR}")
    print("| half | asked from | questions | weight | Success@1 | Success@3 | displaced |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for one in rows:
        low, high = one["interval"]
        print(
            f"| {one['half']} | {one['asked_from']} | {one['questions']} | {one['weight']:.2f} |"
            f" {one['success_1']:.3f} ({low:.3f}–{high:.3f}) | {one['success_3']:.3f} |"
            f" {one['displaced']:.3f} |"
        )


if __name__ == "__main__":
    main()
