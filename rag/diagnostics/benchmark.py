"""The `benchmark` command: what questions cost here, one section for each thing measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rag.config.settings import Settings
from rag.core.errors import HelpError
from rag.diagnostics import BenchmarkSection, OnProgress
from rag.diagnostics.bench_search import measure_embeddings, measure_retrieval
from rag.diagnostics.cache_benchmark import measure_cache
from rag.diagnostics.streaming import measure_streaming

GIBIBYTE = 2**30
Measure = Callable[[Settings, int | None, OnProgress], BenchmarkSection]
MEASURES: dict[str, Measure] = {
    "embedding": measure_embeddings,
    "retrieval": measure_retrieval,
    "streaming": measure_streaming,
    "cache": measure_cache,
}


def machine() -> dict[str, Any]:
    """Return the machine, its load in the last minute, and the programs' versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_1min": _load(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "souffleur": _version(),
    }


def in_force(settings: Settings) -> dict[str, Any]:
    """Return the settings on which times depend."""
    return {
        "model": settings.model,
        "timeout_s": settings.timeout_s,
        "parallel": settings.parallel,
        "store": "elasticsearch" if settings.uses_elasticsearch else "sqlite",
        "encoder": settings.embedding_model if settings.embeddings_enabled else None,
    }


def environment_lines(environment: dict[str, Any]) -> list[str]:
    """Return the environment for a terminal."""
    where, settings = environment["machine"], environment["settings"]
    load = "" if where["load_1min"] is None else f", load {where['load_1min']:.2f}"
    memory = "" if where["memory_gib"] is None else f", {where['memory_gib']:.0f} GiB"
    return [
        f"{where['processor']}, {where['cores']} cores{memory}{load}",
        f"{where['system']}, Python {where['python']}, Souffleur {where['souffleur']}",
        f"{settings['model']}, HELP_TIMEOUT={settings['timeout_s']:g}, {settings['store']},"
        f" encoder {settings['encoder'] or 'none'}",
    ]


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return round(total / GIBIBYTE, 1)
    return None


def _load() -> float | None:
    with suppress(AttributeError, OSError):  # not on Windows
        return round(os.getloadavg()[0], 2)
    return None


def _version() -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("souffleur-help")
    return "unknown"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Hold what `--json` prints, what a terminal prints, and why a section was not measured."""

    figures: dict[str, Any]
    lines: list[str]
    failures: dict[str, str]

    @property
    def measured(self) -> bool:
        """Say whether there is any figure."""
        return len(self.failures) < len(self.figures) - 1  # besides the environment


def benchmark(
    names: Sequence[str],
    settings: Settings,
    iterations: int | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Benchmark:
    """Measure the sections named, all of them without a name, with the settings in force.

    ``iterations`` None is each section's own number. A section that cannot be measured leaves the
    others as they are; its figure is None.
    """
    environment = {"machine": machine(), "settings": in_force(settings)}
    figures: dict[str, Any] = {"environment": environment}
    lines, failures = environment_lines(environment), {}
    for name in names or MEASURES:
        try:
            section = MEASURES[name](settings, iterations, on_progress)
        except HelpError as error:
            failures[name], figures[name] = str(error), None
            continue
        figures[name] = section.figures
        lines += ["", f"{name.capitalize()}", *section.lines]
    return Benchmark(figures, lines, failures)
