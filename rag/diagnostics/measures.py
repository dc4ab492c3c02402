"""Questions with known answers to figures: how well the pages are found, by which leg, how surely.

Judgements are about pages: a page stands where its best chunk stands. nDCG@10 takes a judgement's
relevance as its gain (Järvelin & Kekäläinen 2002), as trec_eval does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from rag import gate
from rag.core.errors import ConfigError, needs_extra
from rag.diagnostics.datasets import Question, fingerprint
from rag.diagnostics.refusals import Verdict, calibration, refusals
from rag.diagnostics.significance import confidence_intervals
from rag.question import read_question
from rag.ranking import best_first
from rag.retriever import Retrieval, Retriever

MEASURES = ("nDCG@10", "R@10", "RR@10", "Success@1")
OWN_MEASURES = (*MEASURES, "Success@3")
DEPTH = 10  # pages: what the measures look at
CHUNKS = 30  # at most 2 hits are of one page: ten pages and more
RANK_FUSION = "rrf"  # a baseline: both legs fused by ranks, as the product does not
LEGS = ("bm25", "knn", RANK_FUSION)
RANK_CONSTANT = 60  # Cormack, Clarke & Büttcher 2009
FUSED = "fused"

Values = dict[str, dict[str, float]]  # question id -> measure -> value


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold what was found for a question: page ids best first by leg, and the gate's opinion."""

    question: Question
    rankings: Mapping[str, tuple[str, ...]]
    verdict: Verdict
    milliseconds: float


def ask_all(
    retriever: Retriever,
    questions: Sequence[Question],
    *,
    k: int = CHUNKS,
    timeout_s: float = 10.0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Retrieve ``k`` chunks for each question, in order.

    Raises: IndexMissing, IndexMismatch, SearchUnavailable, EncoderError.
    """
    outcomes: list[Outcome] = []
    for done, question in enumerate(questions, 1):
        start = time.perf_counter()
        found = retriever.retrieve(read_question(question.text), k, timeout_s=timeout_s)
        elapsed_ms = (time.perf_counter() - start) * 1000
        rankings = _rankings(found)
        right = bool(set(rankings[FUSED][:1]) & question.answered_by)
        verdict = Verdict(
            answerable=bool(question.answered_by),
            right=right,
            refused=not gate.answers(found.evidence),
            probability=gate.probability(found.evidence),
        )
        outcomes.append(Outcome(question, rankings, verdict, elapsed_ms))
        on_progress(done, len(questions))
    return outcomes


def summarise(outcomes: Sequence[Outcome], names: Sequence[str] = MEASURES) -> dict[str, Any]:
    """Return the figures that `evaluate --json` prints; at least one question must have an answer.

    Groups of questions that no page answers have the gate's refusal precision and recall instead.
    Raises: ConfigError when the package that computes the measures is missing.
    """
    answerable = [outcome for outcome in outcomes if outcome.verdict.answerable]
    fused = measure(answerable, FUSED, names)
    legs = {leg: _figures(measure(answerable, leg, names), names) for leg in LEGS}
    verdicts = [outcome.verdict for outcome in outcomes]
    milliseconds = [outcome.milliseconds for outcome in outcomes]
    middle, slow = numpy.percentile(milliseconds, (50, 95)).tolist()
    return {
        **_figures(fused, names),
        "groups": _groups(outcomes, fused, names),
        "legs": legs,
        "gate": {"threshold": gate.PERHAPS, **refusals(verdicts), **calibration(verdicts)},
        "question_ms": {"median": middle, "p95": slow},
        "set": fingerprint(outcome.question for outcome in outcomes),
        "per_query": fused,
    }


def measure(outcomes: Sequence[Outcome], leg: str, names: Sequence[str]) -> Values:
    """Return each question's measures by a leg's ranking; nothing when the leg found nothing.

    Raises: ConfigError when ``ir_measures`` is missing.
    """
    ir_measures = _ir_measures()
    if not any(outcome.rankings[leg] for outcome in outcomes):
        return {}
    # ranks stand in for scores: tools order equal scores each in their own way
    run = {
        outcome.question.id: {
            page: float(-rank) for rank, page in enumerate(outcome.rankings[leg][:DEPTH])
        }
        for outcome in outcomes
    }
    qrels = {outcome.question.id: dict(outcome.question.judged) for outcome in outcomes}
    wanted = [ir_measures.parse_measure(name) for name in names]
    values: Values = {query: dict.fromkeys(names, 0.0) for query in qrels}
    for result in ir_measures.iter_calc(wanted, qrels, run):
        values[result.query_id][str(result.measure)] = float(result.value)
    return values


def _ir_measures() -> Any:
    try:
        import ir_measures
    except ImportError:
        raise ConfigError(needs_extra("Evaluation", "evaluate")) from None
    return ir_measures


def _rankings(found: Retrieval) -> dict[str, tuple[str, ...]]:
    rankings = {FUSED: tuple(dict.fromkeys(hit.chunk.page for hit in found.hits))}
    by_rank: dict[str, float] = {}
    for leg, scores in found.legs.items():
        ranked = best_first(scores)
        rankings[leg] = _pages(ranked, found.pages)
        for rank, chunk in enumerate(ranked, 1):
            by_rank[chunk] = by_rank.get(chunk, 0.0) + 1 / (RANK_CONSTANT + rank)
    rankings[RANK_FUSION] = _pages(best_first(by_rank), found.pages)
    return rankings


def _pages(chunks: Sequence[str], pages: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pages[chunk] for chunk in chunks if chunk in pages))


def _figures(values: Values, names: Sequence[str]) -> dict[str, Any]:
    """Return the means, how many questions they are of, and their intervals."""
    if not values:
        return {}
    table = numpy.array([[row[name] for name in names] for row in values.values()])
    return {
        **dict(zip(names, table.mean(axis=0).tolist(), strict=True)),
        "queries": len(values),
        "intervals": dict(zip(names, confidence_intervals(table), strict=True)),
    }


def _groups(
    outcomes: Sequence[Outcome], fused: Values, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return each group's figures; ``queries`` counts all its questions."""
    wrongly = [o.verdict for o in outcomes if o.verdict.answerable and o.verdict.refused]
    groups: dict[str, dict[str, Any]] = {}
    for name in sorted({outcome.question.group for outcome in outcomes}):
        members = [outcome for outcome in outcomes if outcome.question.group == name]
        ids = [m.question.id for m in members if m.verdict.answerable]
        groups[name] = _figures({i: fused[i] for i in ids if i in fused}, names)
        hopeless = [m.verdict for m in members if not m.verdict.answerable]
        if hopeless:
            groups[name] |= refusals([*hopeless, *wrongly])
        groups[name]["queries"] = len(members)
    return groups
