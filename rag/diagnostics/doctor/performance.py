"""`doctor --performance`: some questions asked as askers do, against the times promised."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from rag.api import open_assistant
from rag.config.settings import Settings
from rag.core.errors import DatasetError
from rag.diagnostics.sections import OnProgress
from rag.diagnostics.streaming import own_questions
from rag.diagnostics.tables import table
from rag.diagnostics.timings import Timing, time_question
from rag.stores import open_store

QUESTIONS = 3
MEAN_TARGET_S = 5.0
MAX_TARGET_S = 10.0
WARMING_S = 30.0
SHOWN = 60  # characters of a question


@dataclass(frozen=True, slots=True)
class Performance:
    """Hold what `--json` prints, what a terminal prints, and whether the targets are met."""

    figures: dict[str, Any]
    lines: list[str]
    ok: bool


def measure_performance(
    settings: Settings, path: Path | None, on_progress: OnProgress
) -> Performance:
    """Ask a file's questions, a line each, or three of the pages' own; no kept answer is used.

    Raises: DatasetError, IndexMissing, IndexMismatch, ConfigError.
    """
    if path is None:
        with closing(open_store(settings)) as store:
            questions = own_questions(store.records(), QUESTIONS)
    else:
        questions = _read(path)
    if not questions:
        raise DatasetError(f"{path} holds no question: write one a line.")
    own = settings.model_copy(update={"cache_enabled": False})
    return _summary(asyncio.run(_asked(own, questions, on_progress)))


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    return [_question(line.strip()) for line in lines if line.strip()]


def _question(line: str) -> str:
    """Return a line's question, also where it is one of the files that `evaluate` reads."""
    with suppress(ValueError, KeyError, TypeError):
        return str(orjson.loads(line)["question"])
    return line


async def _asked(
    settings: Settings, questions: Sequence[str], on_progress: OnProgress
) -> list[Timing]:
    assistant = open_assistant(settings)
    timings = []
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(assistant.warm(), WARMING_S)
        for done, question in enumerate(questions, 1):
            timings.append(await time_question(assistant, question))
            on_progress(done, len(questions))
    finally:
        await assistant.close()
    return timings


def _summary(timings: Sequence[Timing]) -> Performance:
    times_s = [timing.last_event_ms / 1000 for timing in timings]
    degraded = sum(timing.answer.degraded for timing in timings)
    mean_s, max_s = sum(times_s) / len(times_s), max(times_s)
    met = {
        "mean": mean_s < MEAN_TARGET_S,
        "max": max_s < MAX_TARGET_S,
        "degraded": degraded == 0,
    }
    rows = [["question", "seconds", "by"]]
    rows += [_row(timing, seconds) for timing, seconds in zip(timings, times_s, strict=True)]
    lines = [
        *table(rows),
        "",
        f"mean      {mean_s:6.2f} s  {_verdict(met['mean'])} (target: < {MEAN_TARGET_S:g} s)",
        f"max       {max_s:6.2f} s  {_verdict(met['max'])} (target: < {MAX_TARGET_S:g} s)",
        f"degraded  {degraded:4d}/{len(timings)}    {_verdict(met['degraded'])} (target: 0)",
        *sorted({f"  {t.answer.reason}" for t in timings if t.answer.reason}),
    ]
    figures = {
        "questions": len(timings),
        "mean_s": round(mean_s, 3),
        "max_s": round(max_s, 3),
        "degraded": degraded,
        "targets": {"mean_s": MEAN_TARGET_S, "max_s": MAX_TARGET_S, "degraded": 0},
        "met": met,
        "answers": [_answer(timing) for timing in timings],
    }
    return Performance(figures, lines, all(met.values()))


def _answer(timing: Timing) -> dict[str, Any]:
    answer = timing.answer
    return {
        "question": timing.question,
        "seconds": round(timing.last_event_ms / 1000, 3),
        "first_text_s": round(timing.first_text_ms / 1000, 3),
        "degraded": answer.degraded,
        "reason": answer.reason,
        "model": answer.model,
    }


def _row(timing: Timing, seconds: float) -> list[str]:
    by = timing.answer.model or ("extract" if timing.answer.answered else "not in the pages")
    return [timing.question[:SHOWN], f"{seconds:.2f}", by]


def _verdict(met: bool) -> str:
    return "✓" if met else "✗"
