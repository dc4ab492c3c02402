"""Figures of `evaluate` as lines for a terminal, and against the thresholds that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.core.errors import ConfigError
from rag.diagnostics.significance import CONFIDENCE, LEVEL, Difference
from rag.diagnostics.tables import table as aligned

DEFAULT_MEASURE = "Success@1"
SHOWN_LEFT_OUT = 5
NOTHING = "-"


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
