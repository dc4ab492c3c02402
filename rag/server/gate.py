"""So many look-ups at once; who is in the middle of a conversation goes first."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """Let at most ``most`` through at once, those who went through before ahead of newcomers.

    A crowd that asks all at once, and perhaps never reads, then makes nobody wait who is already
    being answered.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque())

    async def acquire(self, *, newcomer: bool) -> None:
        """Wait for a place; it is to be given back by `release`."""
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        line = self._waiting[newcomer]
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                line.remove(turn)
            else:  # its place came as it gave up
                self.release()
            raise

    def release(self) -> None:
        """Give a place to who comes next, or keep it free."""
        for line in self._waiting:
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
