"""One deadline a question, made at the edge and passed down."""

from __future__ import annotations

import time


class Deadline:
    """Know how much of a question's time is left, on a clock that nobody sets back."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._end = self._start + seconds

    def left_s(self, limit_s: float = float("inf")) -> float:
        """Return the seconds left, never below 0, at most ``limit_s``."""
        return max(0.0, min(limit_s, self._end - time.monotonic()))

    def spent_s(self) -> float:
        """Return the seconds since the question came."""
        return time.monotonic() - self._start
