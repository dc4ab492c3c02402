"""One deadline a question, made at the edge and passed down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


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


async def bounded(call: Callable[[], Result], timeout_s: float) -> Result:
    """Run a blocking call in a thread of its own, left behind when the time is up.

    A pool would be waited for at the end of the program: a server that sends a byte now and then
    would hold it. Raises: TimeoutError; what the call raises.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result: Result | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wait_for(future, timeout_s)
