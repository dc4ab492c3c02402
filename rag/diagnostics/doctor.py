"""The commands `doctor` and `status`: what is wrong here, what cures each fault, what is in force.

`doctor --performance` asks some questions as askers do, against the times promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from rag.api import open_assistant
from rag.config import states_of
from rag.config.settings import Settings, is_address
from rag.core.errors import DatasetError
from rag.core.invocation import index_command
from rag.core.records import Check
from rag.diagnostics import Finding, Look, OnProgress, side_by_side, table
from rag.diagnostics.doctor_model import ollama_check, wanted_models
from rag.diagnostics.doctor_services import OllamaServer, elasticsearch_checks
from rag.diagnostics.doctor_site import STORE_S, Setting, all_settings, cache_checks, index_line
from rag.diagnostics.streaming import own_questions
from rag.diagnostics.timings import Timing, time_question
from rag.stores import open_store

LIMIT_S = 15.0
STATUS_LIMIT_S = 5.0
SHOWN = 60  # characters of a value
QUESTIONS = 3
MEAN_TARGET_S = 5.0
MAX_TARGET_S = 10.0
WARMING_S = 30.0
SHOWN = 60  # characters of a question


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Hold what was found; ``settings`` is None, and nothing else looked at, if unreadable."""

    checks: tuple[Check, ...]
    settings: Settings | None
    in_force: tuple[Setting, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether no fault was found."""
        return all(check.ok for check in self.checks)

    @property
    def faults(self) -> frozenset[str]:
        """Return what `repair` can do something about."""
        return frozenset(
            check.fault for check in self.checks if isinstance(check, Finding) and check.fault
        )

    def figures(self) -> dict[str, Any]:
        """Return what `doctor --json` prints."""
        names = ("name", "ok", "detail", "cure")
        rows = [{name: getattr(check, name) for name in names} for check in self.checks]
        settings = [
            {"name": one.name, "value": one.value, "origin": one.origin} for one in self.in_force
        ]
        return {"checks": rows, "settings": settings}


def diagnose() -> Diagnosis:
    """Look at settings, disk, index, pages, cache, Elasticsearch and the model, side by side."""
    from rag.diagnostics.doctor_model import model_checks
    from rag.diagnostics.doctor_services import elasticsearch_checks
    from rag.diagnostics.doctor_site import cache_checks, disk_checks, index_checks, settings_checks

    settings, checks = settings_checks()
    if settings is None:
        return Diagnosis(tuple(checks), None)
    looks: dict[str, Look] = {
        "disk": partial(disk_checks, settings),
        "index": partial(index_checks, settings),
        "cache": partial(cache_checks, settings),
        "elasticsearch": partial(elasticsearch_checks, settings),
        "model": partial(model_checks, settings),
    }
    found = side_by_side(looks, LIMIT_S)
    return Diagnosis((*checks, *found), settings, tuple(all_settings(settings)))


@dataclass(frozen=True, slots=True)
class Overview:
    """Hold settings, switches, and what was found of index, cache and services."""

    settings: tuple[Setting, ...]
    switches: dict[str, bool]
    found: tuple[Check, ...]

    def figures(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        settings = [
            {"name": one.name, "value": one.value, "origin": one.origin} for one in self.settings
        ]
        found = {check.name: {"ok": check.ok, "detail": check.detail} for check in self.found}
        return {"switches": self.switches, **found, "settings": settings}

    def lines(self, *, everything: bool) -> list[str]:
        """Return what a terminal shows: settings left at their default only when asked for."""
        rows = [
            [one.name, one.value[:SHOWN], f"  {one.origin}"]
            for one in self.settings
            if everything or one.origin != "default"
        ]
        states = [f"{name} {'on' if on else 'off'}" for name, on in self.switches.items()]
        lines = [f"switches: {', '.join(states)}"]
        left = len(self.settings) - len(rows)
        if rows:
            width = max(len(row[1]) for row in rows)
            lines += ["", *table([[name, value.ljust(width), at] for name, value, at in rows])]
        if left:
            lines.append(f"{left} settings at their default (--all shows them)")
        return lines


def overview(settings: Settings) -> Overview:
    """Look at what is there, within some seconds. Raises: ConfigError."""
    looks: dict[str, Look] = {
        "index": partial(_index, settings),
        "cache": partial(cache_checks, settings),
        "elasticsearch": partial(elasticsearch_checks, settings),
        "model": partial(_model, settings),
    }
    found = side_by_side(looks, STATUS_LIMIT_S)
    return Overview(tuple(all_settings(settings)), states_of(settings), tuple(found))


def _index(settings: Settings) -> Iterator[Check]:
    with closing(open_store(settings)) as store:
        meta = store.meta(STORE_S)
        if meta is None:
            yield Check("index", False, "nothing is indexed", index_command())
        else:
            yield Check("index", True, index_line(store, meta))


def _model(settings: Settings) -> Iterator[Check]:
    if settings.degraded_mode:
        yield Check("model", True, "off (HELP_DEGRADED_MODE): every answer is an extract")
        return
    yield Check("model", True, settings.model)
    if wanted_models(settings) and is_address(settings.ollama_url):
        yield ollama_check(OllamaServer(settings.ollama_url))


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
