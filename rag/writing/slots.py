"""One generation a slot, and a short waiting room: who finds it full is told at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

ROOM = 8
POLL_S = 0.02  # not futures: those who wait may live in event loops of several threads


class Slots:
    """Hand out a model server's slots in the order of asking; safe to share between threads."""

    def __init__(self, count: int, room: int = ROOM) -> None:
        self._free = count
        self._room = room
        self._waiting: deque[object] = deque()
        self._lock = threading.Lock()

    def take_free(self) -> bool:
        """Take a slot that is free and that nobody waits for; False when there is none."""
        with self._lock:
            if not self._free or self._waiting:
                return False
            self._free -= 1
            return True

    async def take(self, wait_s: float) -> bool:
        """Take a slot, waiting up to ``wait_s``; False when there is none, or no room to wait."""
        if self.take_free():
            return True
        ticket = object()
        end = time.monotonic() + wait_s
        with self._lock:
            if len(self._waiting) >= self._room or wait_s <= 0:
                return False
            self._waiting.append(ticket)
        try:
            while time.monotonic() < end:
                await asyncio.sleep(POLL_S)
                if self._turn(ticket):
                    return True
            return False
        finally:
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)

    def give_back(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._free += 1

    def _turn(self, ticket: object) -> bool:
        with self._lock:
            if not self._free or self._waiting[0] is not ticket:
                return False
            self._waiting.popleft()
            self._free -= 1
            return True
