"""What one benchmark hands back, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Section:
    """Hold a benchmark's figures, as `--json` prints them, and its lines for a terminal."""

    figures: dict[str, Any]
    lines: list[str]
