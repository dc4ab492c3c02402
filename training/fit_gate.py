"""Fit the evidence gate: the probability that the best chunk answers, from its evidence.

    python training/fit_gate.py [--pages corpus] [--questions tests/quality/questions.jsonl]

Each question gives two examples: asked of all the pages (does the best chunk's page answer?), and
asked when its own pages are out of the index (no; these weigh a quarter, since few real questions
have no answer). Prints the weights for `rag/gate.py`, and how
well the probabilities hold on questions that were not fitted (10-fold cross-validation).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer import pipeline
from rag.api import index_meta, open_retriever
from rag.config.settings import Settings
from rag.encoders import bundled_encoder
from rag.gate import evidence_row
from rag.question import read_question
from rag.stores.sqlite import SqliteStore

FOLDS, RIDGE, STEPS = 10, 1.0, 50
LEFT_OUT_WEIGHT = 0.25


def main() -> None:
    """Fit, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=Path, default=Path("corpus"))
    parser.add_argument("--questions", type=Path, default=Path("tests/quality/questions.jsonl"))
    options = parser.parse_args()
    lines = options.questions.read_text(encoding="utf-8").splitlines()
    rows, labels, counts, groups = examples(options.pages, [json.loads(line) for line in lines])
    report(rows, labels, counts, groups)
    print("bias and weights:", numpy.round(fit(rows, labels, counts), 2).tolist())


def examples(pages: Path, questions: list[dict]) -> tuple[numpy.ndarray, ...]:
    """Return the evidence (n, features), and (n,) each: right, weight, number of the question."""
    found: list[tuple[list[float], bool, float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "index.sqlite3")
        pipeline.run([pages], store, bundled_encoder())
        retriever = open_retriever(Settings(), store)
        for number, asked in enumerate(questions):
            own = {asked["page"], *asked.get("pages", [])} - {None}
            best = retriever.retrieve(read_question(asked["question"]), 1)
            right = bool(best.hits) and best.hits[0].chunk.page in own
            found.append((evidence_row(best.evidence), right, 1.0, number))
            if own:
                _remove(store, own)
                other = retriever.retrieve(read_question(asked["question"]), 1)
                found.append((evidence_row(other.evidence), False, LEFT_OUT_WEIGHT, number))
                pipeline.run([pages], store, bundled_encoder())
        store.close()
    rows, labels, counts, groups = (numpy.array(column) for column in zip(*found, strict=True))
    return rows, labels.astype(float), counts, groups


def _remove(store: SqliteStore, pages: set[str]) -> None:
    writer = store.writer(index_meta(bundled_encoder()), full=False)
    for page in pages:
        writer.delete_page(page)
    writer.publish()


def fit(rows: numpy.ndarray, labels: numpy.ndarray, counts: numpy.ndarray) -> numpy.ndarray:
    """Return bias and weights of a ridge logistic regression, by Newton's method."""
    data = numpy.hstack([numpy.ones((len(rows), 1)), rows])
    penalty = numpy.diag([0.0] + [RIDGE] * rows.shape[1])
    weights = numpy.zeros(data.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + numpy.exp(-data @ weights))
        slope = data.T @ (counts * (chance - labels)) + penalty @ weights
        curve = (data.T * (counts * chance * (1 - chance))) @ data + penalty
        weights -= numpy.linalg.solve(curve, slope)
    return weights


def report(
    rows: numpy.ndarray, labels: numpy.ndarray, counts: numpy.ndarray, groups: numpy.ndarray
) -> None:
    """Print how the probabilities of questions left out compare with what came true."""
    numbers = sorted(set(groups.tolist()))
    random.Random(0).shuffle(numbers)
    fold = {number: place % FOLDS for place, number in enumerate(numbers)}
    folds = numpy.array([fold[number] for number in groups.tolist()])
    chance = numpy.zeros(len(labels))
    for left_out in range(FOLDS):
        rest = folds != left_out
        weights = fit(rows[rest], labels[rest], counts[rest])
        test = folds == left_out
        chance[test] = 1 / (1 + numpy.exp(-(weights[0] + rows[test] @ weights[1:])))
    print("predicted  came true  examples")
    error = 0.0
    for low in numpy.arange(0, 1, 0.2):
        among = (chance >= low) & (chance < low + 0.2)
        if among.any():
            told = numpy.average(chance[among], weights=counts[among])
            came = numpy.average(labels[among], weights=counts[among])
            error += abs(told - came) * counts[among].sum() / counts.sum()
            print(f"{told:9.2f}  {came:9.2f}  {among.sum():8d}")
    print(f"expected calibration error {error:.3f}")
    for threshold in numpy.arange(0.1, 0.6, 0.05):
        kept = (chance >= threshold)[labels == 1].mean()
        refused = (chance < threshold)[labels == 0].mean()
        print(f"threshold {threshold:.2f}: right kept {kept:.2f}, others refused {refused:.2f}")


if __name__ == "__main__":
    main()
