"""Instruments: what tells how well the pages are searched, and what is wrong; what they share."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.core.errors import HelpError
from rag.core.invocation import command
from rag.core.records import Check

OnProgress = Callable[[int, int], None]
SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])|\n(?=Correct)")
INSTALL = re.compile(r"pip install .+$")


@dataclass(frozen=True, slots=True)
class BenchmarkSection:
    """Hold a benchmark's figures, as `--json` prints them, and its lines for a terminal."""

    figures: dict[str, Any]
    lines: list[str]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Finding(Check):
    """Name besides what `repair` can do something about: stopped, blocked or missing."""

    fault: str = ""


Look = Callable[[], Iterable[Check]]


def failed(name: str, error: Exception, cure: str = "") -> Check:
    """Return the check that an error means: its first sentence, then what cures it."""
    said = str(error) or type(error).__name__
    detail, *rest = SENTENCE.split(said, maxsplit=1)
    install = INSTALL.search(said)
    if install and not rest:
        detail, rest = said[: install.start()].rstrip(" :"), [install.group()]
    return Check(name, False, detail, cure or " ".join(rest) or command("--debug doctor"))


def side_by_side(looks: Mapping[str, Look], limit_s: float) -> list[Check]:
    """Look at everything at once, and return the checks in the order of ``looks``.

    What did not end within ``limit_s`` gives a check that says so; it ends with the process.
    """
    done: queue.Queue[tuple[str, list[Check]]] = queue.Queue()
    found: dict[str, list[Check]] = {}
    for name, look in looks.items():
        threading.Thread(target=_look, args=(name, look, done), daemon=True).start()
    end = time.monotonic() + limit_s
    while len(found) < len(looks):
        try:
            name, checks = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[name] = checks
    late = {name: [_late(name, limit_s)] for name in looks}
    return [check for checks in (late | found).values() for check in checks]


def _look(name: str, look: Look, done: queue.Queue[tuple[str, list[Check]]]) -> None:
    checks: list[Check] = []
    try:
        for check in look():
            checks.append(check)  # noqa: PERF402 - those before an error stay
    except HelpError as error:
        checks.append(failed(name, error))
    except Exception as error:
        checks.append(Check(name, False, f"{type(error).__name__}: {error}", "see --debug"))
    done.put((name, checks))


def _late(name: str, limit_s: float) -> Check:
    return Check(name, False, f"no answer within {limit_s:g} s", "run it again when it is idle")
