"""The `evaluate` command: a folder in BEIR's format, the user's own index, or two reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.documents import Page
from rag.core.errors import ConfigError, DatasetError, IndexMissing
from rag.core.invocation import index_command
from rag.core.protocols import Encoder, Store
from rag.diagnostics import table as aligned
from rag.diagnostics.datasets import Question, misspelt, read_beir, read_questions
from rag.diagnostics.measures import CHUNKS, MEASURES, OWN_MEASURES, ask_all, summarise
from rag.diagnostics.significance import CONFIDENCE, LEVEL, Difference, compare
from rag.encoders import open_encoder
from rag.stores import open_store, throwaway_store

DEFAULT_MEASURE = "Success@1"
SHOWN_LEFT_OUT = 5
NOTHING = "-"
OWN_QUESTIONS = Path("tests/quality/questions.jsonl")
OnProgress = Callable[[int, int], None]


def read_thresholds(texts: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Read ``0.8`` (of Success@1) and ``nDCG@10=0.7``.

    Raises: ConfigError when a measure is unknown or a threshold is no number in [0, 1].
    """
    thresholds: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        name = name.strip() or DEFAULT_MEASURE
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name not in names or not 0 <= value <= 1:
            raise ConfigError(
                f"--fail-below {text}: give a number from 0 to 1, or MEASURE=NUMBER with one of"
                f" {', '.join(names)}."
            )
        thresholds[name] = value
    return thresholds


def failures(report: Mapping[str, Any], thresholds: Mapping[str, float]) -> list[str]:
    """Return a line for each figure that is below its threshold."""
    return [
        f"{name} is {report[name]:.4f}, below {least:g}."
        for name, least in thresholds.items()
        if report[name] < least
    ]


def report_lines(report: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the figures as aligned tables: all, by leg, by group, then the gate's."""
    header = ["", "queries", *names]
    rows = [["fused", *_cells(report, names)], ["", "", *_intervals(report, names)]]
    rows += [[leg, *_cells(found, names)] for leg, found in report["legs"].items()]
    lines = [*aligned([header, *rows]), f"(brackets: {CONFIDENCE:.0%} confidence intervals)"]
    if len(report["groups"]) > 1:
        groups = [[name, *_cells(found, names)] for name, found in report["groups"].items()]
        lines += ["", *aligned([["group", *header[1:]], *groups])]
    settings, ms = report["settings"], report["question_ms"]
    return [
        *lines,
        "",
        *_gate_lines(report),
        "",
        f"{settings['pages']} pages, {report['chunks']} chunks in {settings['store']}, encoder"
        f" {settings['encoder'] or 'none'}: {report['seconds']:.1f} s;"
        f" a question {ms['median']:.1f} ms (95th percentile {ms['p95']:.1f} ms)",
    ]


def left_out_line(left_out: Sequence[str]) -> str:
    """Return what to say of queries that nobody judged and that are not asked."""
    return f"Warning: left out, without a judgement: {_unjudged(left_out)}"


def unjudged_line(folder: Path, left_out: Sequence[str]) -> str:
    """Return why a folder with such queries is refused, and the cure."""
    return (
        f"{folder}: {len(left_out)} without a judgement in qrels/test.tsv: {_unjudged(left_out)}."
        " Judge them, or leave them out with --allow-unjudged."
    )


def _unjudged(left_out: Sequence[str]) -> str:
    names = ", ".join(left_out[:SHOWN_LEFT_OUT]) + (", …" if left_out[SHOWN_LEFT_OUT:] else "")
    return f"{'query' if len(left_out) == 1 else 'queries'} {names}"


def comparison_lines(compared: Mapping[str, Any]) -> list[str]:
    """Return each measure's difference between two runs, and whether chance explains it."""
    rows = [["", "A", "B", "B - A", "p", f"significant at {LEVEL:.0%}"]]
    for name, found in compared["measures"].items():
        rows.append([name, *_difference_cells(found)])
    return [*aligned(rows), f"{compared['queries']} queries, paired randomisation test"]


def _difference_cells(found: Difference) -> list[str]:
    means = [f"{found.a:.4f}", f"{found.b:.4f}", f"{found.difference:+.4f}"]
    return [*means, f"{found.p:.4f}", "yes" if found.significant else "no"]


def _gate_lines(report: Mapping[str, Any]) -> Iterator[str]:
    gate = report["gate"]
    wrongly = gate["wrongly_refused"]
    yield f"Evidence gate: {wrongly} of {report['queries']} questions with an answer are refused"
    rows = [["refusals", "precision", "recall"]]
    for name, found in report["groups"].items():
        if "refusal_recall" in found:
            figures = found["refusal_precision"], found["refusal_recall"]
            rows.append([name, *map(_number, figures)])
    if len(rows) > 1:
        yield from aligned(rows)
    yield f"Expected calibration error {gate['calibration_error']:.4f}"
    table = [["probability", "queries", "foretold", "right"]]
    for row in gate["reliability"]:
        span = f"{row['from']:.1f} to {row['to']:.1f}"
        table.append([span, str(row["queries"]), _number(row["foretold"]), _number(row["right"])])
    yield from aligned(table)


def _cells(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [str(found.get("queries", NOTHING)), *(_number(found.get(name)) for name in names)]


def _intervals(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return ["[{:.3f} {:.3f}]".format(*found["intervals"][name]) for name in names]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


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
        return Evaluation(compared, comparison_lines(compared))
    names = MEASURES if request.beir else OWN_MEASURES
    thresholds = read_thresholds(request.fail_below, names)
    start = time.monotonic()
    if request.beir:
        figures = _evaluate_folder(request.beir, request, settings, index_pages, bars or Bars())
    else:
        figures = _evaluate_index(request, settings, bars or Bars())
    figures["seconds"] = round(time.monotonic() - start, 3)
    left_out = figures["left_out"]
    return Evaluation(
        figures,
        report_lines(figures, names),
        (left_out_line(left_out),) if left_out else (),
        tuple(failures(figures, thresholds)),
    )


def _evaluate_folder(
    folder: Path, request: Request, settings: Settings, index_pages: IndexPages, bars: Bars
) -> dict[str, Any]:
    """Index the folder's pages apart, and ask its queries."""
    dataset = read_beir(folder)
    if dataset.left_out and not request.allow_unjudged:
        raise DatasetError(unjudged_line(folder, dataset.left_out))
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
