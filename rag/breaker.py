"""A dependency that made somebody wait for nothing is left alone for a while."""

from __future__ import annotations

import threading
import time

SLOW_S = 0.5  # a failure that comes sooner costs nobody anything: no rest is needed
REST_S = 5.0
WINDOW_S = 30.0  # failures further apart are not one


class CircuitBreaker:
    """Open after slow failures, let one call through when the rest is over, close when it works.

    Safe to share between threads.
    """

    def __init__(self, failures: int = 2, rest_s: float = REST_S, slow_s: float = SLOW_S) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._slow_s = slow_s
        self._lock = threading.Lock()
        self._failed_at: list[float] = []
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Say whether to call now. While open, one caller is let through each time a rest ends."""
        with self._lock:
            now = time.monotonic()
            if self._open_until is None:
                return True
            if now < self._open_until:
                return False
            self._open_until = now + self._rest_s
            return True

    def succeeded(self) -> None:
        """Close."""
        with self._lock:
            self._open_until = None
            self._failed_at.clear()

    def failed(self, took_s: float) -> None:
        """Note a failure; open when enough of them took long lately."""
        if took_s < self._slow_s:
            return
        with self._lock:
            now = time.monotonic()
            self._failed_at = [at for at in self._failed_at if now - at < WINDOW_S] + [now]
            if len(self._failed_at) >= self._failures or self._open_until is not None:
                self._open_until = now + self._rest_s
