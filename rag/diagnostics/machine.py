"""Where figures were measured: a time says nothing without its machine."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from rag.config.settings import Settings

GIBIBYTE = 2**30


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
