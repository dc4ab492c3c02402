"""The `benchmark` command: what questions cost here, one section for each thing measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rag.config.settings import Settings
from rag.core.errors import HelpError
from rag.diagnostics.cache_benchmark import measure_cache
from rag.diagnostics.embedding_benchmark import measure_embeddings
from rag.diagnostics.machine import environment_lines, in_force, machine
from rag.diagnostics.retrieval_benchmark import measure_retrieval
from rag.diagnostics.sections import OnProgress, Section
from rag.diagnostics.streaming import measure_streaming

Measure = Callable[[Settings, int | None, OnProgress], Section]
MEASURES: dict[str, Measure] = {
    "embedding": measure_embeddings,
    "retrieval": measure_retrieval,
    "streaming": measure_streaming,
    "cache": measure_cache,
}


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
