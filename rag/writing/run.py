"""What happens in one generation, by the clock."""

from __future__ import annotations

import time


class Run:
    """Hold what happens in one generation."""

    def __init__(self) -> None:
        self._start: float | None = None
        self.new_tokens = 0
        self.first_s: float | None = None
        self.last_s = 0.0
        self.pieces = 0
        self.ended = False
        self.measured = False  # the slot went to a probe

    def begin(self, new_tokens: int) -> None:
        """Note that a prompt is sent; ``new_tokens`` of it are to be read."""
        self._start = time.monotonic()
        self.new_tokens = new_tokens

    def note_piece(self) -> None:
        """Note that a piece came."""
        self.pieces += 1
        self.last_s = self.waited_s
        if self.first_s is None:
            self.first_s = self.last_s

    @property
    def waited_s(self) -> float:
        """Return the seconds since the prompt was sent, 0 before."""
        return time.monotonic() - self._start if self._start is not None else 0.0

    @property
    def abandoned(self) -> bool:
        """Say whether the server may still be reading a prompt that nobody waits for."""
        return self._start is not None and self.first_s is None and not self.ended
