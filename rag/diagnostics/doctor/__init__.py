"""The `doctor` command: what is wrong here, and what cures each fault, within some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from rag.config.settings import Settings
from rag.core.records import Check
from rag.diagnostics.doctor.check import Finding, Look, side_by_side
from rag.diagnostics.doctor.origins import Setting, all_settings

LIMIT_S = 15.0


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
    from rag.diagnostics.doctor.model import model_checks
    from rag.diagnostics.doctor.servers import elasticsearch_checks
    from rag.diagnostics.doctor.site import (
        cache_checks,
        disk_checks,
        index_checks,
        settings_checks,
    )

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
