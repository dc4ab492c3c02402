"""The `status` command: what is in force and what is there, without trying anything out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from rag.config import states_of
from rag.config.settings import Settings, is_address
from rag.core.invocation import index_command
from rag.core.records import Check
from rag.diagnostics.doctor.check import Look, side_by_side
from rag.diagnostics.doctor.model import ollama_check, wanted_models
from rag.diagnostics.doctor.origins import Setting, all_settings
from rag.diagnostics.doctor.servers import OllamaServer, elasticsearch_checks
from rag.diagnostics.doctor.site import STORE_S, cache_checks, index_line
from rag.diagnostics.tables import table
from rag.stores import open_store

LIMIT_S = 5.0
SHOWN = 60  # characters of a value


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
    found = side_by_side(looks, LIMIT_S)
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
