"""The `evaluate` command: a folder in BEIR's format, the user's own index, or two reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.documents import Page
from rag.core.errors import ConfigError, DatasetError, IndexMissing
from rag.core.invocation import index_command
from rag.core.protocols import Encoder, Store
from rag.diagnostics import report
from rag.diagnostics.datasets import Question, read_beir, read_questions
from rag.diagnostics.measures import CHUNKS, MEASURES, OWN_MEASURES, ask_all, summarise
from rag.diagnostics.misspelling import misspelt
from rag.diagnostics.significance import compare
from rag.encoders import open_encoder
from rag.stores import open_store, throwaway_store

OWN_QUESTIONS = Path("tests/quality/questions.jsonl")
OnProgress = Callable[[int, int], None]


class IndexPages(Protocol):
    """Make an index of pages given in memory (see `indexer.memory`)."""

    def __call__(
        self, pages: Sequence[Page], store: Store, encoder: Encoder, *, on_progress: OnProgress
    ) -> object:
        """Index these pages and nothing else."""


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what to evaluate: one of ``beir``, ``questions`` and ``compare``, or none.

    None means the questions in `OWN_QUESTIONS`. ``k`` chunks are retrieved for a question.
    ``misspelt`` asks them with accents gone and a typo; ``allow_unjudged`` leaves queries without
    judgements out instead of refusing the folder.
    """

    beir: Path | None = None
    questions: Path | None = None
    compare: tuple[Path, Path] | None = None
    fail_below: tuple[str, ...] = ()
    k: int = CHUNKS
    misspelt: bool = False
    allow_unjudged: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Hold what `--json` prints, what a terminal prints, and which figures are too low."""

    figures: dict[str, Any]
    lines: list[str]
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """Hold what is told of the progress, as (done, total)."""

    pages: OnProgress = lambda done, total: None
    questions: OnProgress = lambda done, total: None


def evaluate(
    request: Request, settings: Settings, index_pages: IndexPages, bars: Bars | None = None
) -> Evaluation:
    """Measure what is asked for with the settings in force.

    Raises: DatasetError, ConfigError, IndexMissing, IndexMismatch, SearchUnavailable, EncoderError.
    """
    if sum(map(bool, (request.beir, request.questions, request.compare))) > 1:
        raise ConfigError("Give one of --beir, --questions and --compare.")
    if request.compare:
        if request.fail_below:
            raise ConfigError("--fail-below is for a measurement: it cannot go with --compare.")
        compared = compare(*request.compare)
        return Evaluation(compared, report.comparison_lines(compared))
    names = MEASURES if request.beir else OWN_MEASURES
    thresholds = report.read_thresholds(request.fail_below, names)
    start = time.monotonic()
    if request.beir:
        figures = _evaluate_folder(request.beir, request, settings, index_pages, bars or Bars())
    else:
        figures = _evaluate_index(request, settings, bars or Bars())
    figures["seconds"] = round(time.monotonic() - start, 3)
    left_out = figures["left_out"]
    return Evaluation(
        figures,
        report.report_lines(figures, names),
        (report.left_out_line(left_out),) if left_out else (),
        tuple(report.failures(figures, thresholds)),
    )


def _evaluate_folder(
    folder: Path, request: Request, settings: Settings, index_pages: IndexPages, bars: Bars
) -> dict[str, Any]:
    """Index the folder's pages apart, and ask its queries."""
    dataset = read_beir(folder)
    if dataset.left_out and not request.allow_unjudged:
        raise DatasetError(report.unjudged_line(folder, dataset.left_out))
    encoder = open_encoder(settings)
    with throwaway_store(settings) as store:
        index_pages(dataset.pages, store, encoder, on_progress=bars.pages)
        figures = _ask(dataset.questions, store, settings, request, names=MEASURES, bars=bars)
    return {**figures, "left_out": list(dataset.left_out)}


def _evaluate_index(request: Request, settings: Settings, bars: Bars) -> dict[str, Any]:
    """Ask a file's questions of the user's own index."""
    store = open_store(settings)
    try:
        known = store.records()
        if not known:
            raise IndexMissing(
                f"Nothing is indexed to be asked. Index your pages: {index_command()}"
            )
        questions = read_questions(request.questions or OWN_QUESTIONS, known)
        figures = _ask(questions, store, settings, request, names=OWN_MEASURES, bars=bars)
    finally:
        store.close()
    return {**figures, "left_out": []}


def _ask(
    questions: Sequence[Question],
    store: Store,
    settings: Settings,
    request: Request,
    *,
    names: Sequence[str],
    bars: Bars,
) -> dict[str, Any]:
    outcomes = ask_all(
        open_retriever(settings, store),
        misspelt(questions) if request.misspelt else questions,
        k=request.k,
        timeout_s=settings.timeout_s,
        on_progress=bars.questions,
    )
    figures = summarise(outcomes, names)
    return {**figures, "chunks": store.count(), "settings": _in_force(store, settings, request.k)}


def _in_force(store: Store, settings: Settings, k: int) -> dict[str, Any]:
    """Return the settings that a figure depends on; ``encoder`` None is BM25 alone."""
    meta = store.meta()
    encoded = meta is not None and settings.embeddings_enabled
    return {
        "store": "elasticsearch" if settings.uses_elasticsearch else "sqlite",
        "encoder": meta.encoder if meta and encoded else None,
        "dimension": meta.dimension if meta and encoded else None,
        "reranker": settings.reranker_model if encoded else None,
        "pages": len(store.records()),
        "k": k,
    }
