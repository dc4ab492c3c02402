"""What searching costs, each leg by itself and both, and how well each finds the pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle, islice
from typing import Any

from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.errors import IndexMissing
from rag.core.invocation import index_command
from rag.diagnostics.datasets import Question
from rag.diagnostics.embedding_benchmark import OWN, ndcg, questions_at_hand
from rag.diagnostics.sections import OnProgress, Section
from rag.diagnostics.tables import table
from rag.diagnostics.timings import since_ms, spread
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores import open_store

ITERATIONS = 100
CHUNKS = 20  # at most 2 a page: ten pages
TIMEOUT_S = 60.0


def measure_retrieval(
    settings: Settings, iterations: int | None, on_progress: OnProgress
) -> Section:
    """Search the index for the questions at hand, by both legs as in force and by words alone.

    Raises: IndexMissing, IndexMismatch, SearchUnavailable, EncoderError, ConfigError.
    """
    with closing(open_store(settings)) as store:
        questions = questions_at_hand(store)
        if not questions:
            raise IndexMissing(
                f"Nothing is indexed to be searched. Index your pages: {index_command()}"
            )
        asked = list(islice(cycle(questions), iterations or ITERATIONS))
        ways = _ways(settings)
        figures: dict[str, Any] = {
            "iterations": len(asked),
            "questions": len(questions),
            "own": all(question.group == OWN for question in questions),
            "chunks": store.count(),
            "ways": {},
        }
        for done, (name, own) in enumerate(ways.items(), 1):
            figures["ways"][name] = _measured(open_retriever(own, store), asked)
            on_progress(done, len(ways))
    return Section(figures, _lines(figures))


def _ways(settings: Settings) -> dict[str, Settings]:
    words = settings.model_copy(update={"embeddings_enabled": False})
    return (
        {"vectors and words": settings, "words alone": words}
        if (settings.embeddings_enabled)
        else {"words alone": words}
    )


def _measured(retriever: Retriever, asked: Sequence[Question]) -> dict[str, Any]:
    start = time.perf_counter()
    retriever.retrieve(read_question(asked[0].text), CHUNKS, timeout_s=TIMEOUT_S)
    first_ms = since_ms(start)  # the vectors are read, the encoder loaded
    times, values = [], []
    for question in asked:
        start = time.perf_counter()
        found = retriever.retrieve(read_question(question.text), CHUNKS, timeout_s=TIMEOUT_S)
        times.append(since_ms(start))
        pages = list(dict.fromkeys(hit.chunk.page for hit in found.hits))[:10]
        values.append(ndcg(pages, question))
    whole_s = sum(times) / 1000
    return {
        "first_ms": first_ms,
        "question_ms": spread(times),
        "questions_per_s": round(len(times) / whole_s, 1),
        "nDCG@10": round(sum(values) / len(values), 4),
    }


def _lines(figures: dict[str, Any]) -> list[str]:
    rows = [["milliseconds", "p50", "p95", "mean", "max", "first", "questions/s", "nDCG@10"]]
    for name, found in figures["ways"].items():
        times = [f"{found['question_ms'][n]:.2f}" for n in ("p50", "p95", "mean", "max")]
        rest = [f"{found['first_ms']:.1f}", f"{found['questions_per_s']:,.0f}"]
        rows.append([name, *times, *rest, f"{found['nDCG@10']:.4f}"])
    return [
        *table(rows),
        f"{figures['iterations']} searches, one at a time, among {figures['chunks']} chunks;"
        f" {figures['questions']} questions{OWN if figures['own'] else ''}",
    ]
