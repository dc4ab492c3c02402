"""One thing that was looked at: what it is, whether it is right, and the command that cures it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """Hold what was found; ``cure`` is empty when nothing is wrong."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
