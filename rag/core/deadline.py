"""One deadline a question, made at the edge and passed down; what makes it late is left alone."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
Inbox: TypeAlias = "SimpleQueue[Callable[[], None]]"
IDLE_S = 1.0
SLOW_S = 0.5  # a failure that comes sooner costs nobody anything: no rest is needed
REST_S = 5.0
WINDOW_S = 30.0  # failures further apart are not one


class Deadline:
    """Know how much of a question's time is left, on a clock that nobody sets back."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._end = self._start + seconds
        self._waits: set[asyncio.Timeout] = set()
        self.reason = "late"

    def left_s(self, limit_s: float = float("inf")) -> float:
        """Return the seconds left, never below 0, at most ``limit_s``."""
        return max(0.0, min(limit_s, self._end - time.monotonic()))

    @asynccontextmanager
    async def wait(self, limit_s: float = float("inf")) -> AsyncIterator[None]:
        """Bound what is awaited inside by the time left. Raises: TimeoutError."""
        async with asyncio.timeout(self.left_s(limit_s)) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)

    def cut(self, reason: str) -> None:
        """End the time now, with its own reason; to be called in the event loop that waits."""
        self.reason = reason
        self._end = min(self._end, time.monotonic())
        for wait in self._waits:
            with suppress(RuntimeError):  # it has just ended
                wait.reschedule(asyncio.get_running_loop().time())

    def spent_s(self) -> float:
        """Return the seconds since the question came."""
        return time.monotonic() - self._start


async def bounded(call: Callable[[], Result], timeout_s: float) -> Result:
    """Run a blocking call in a thread that is left behind when the time is up.

    Raises: TimeoutError; what the call raises.
    """
    future = started(call)
    # not wait_for: in Python 3.11 it may lose a cancellation that comes with the result
    late = asyncio.get_running_loop().call_later(timeout_s, give_up, future)
    try:
        return await future
    finally:
        late.cancel()


def give_up(future: asyncio.Future[Result]) -> None:
    """Make who awaits a result that has not come hear of a TimeoutError instead."""
    if not future.done():
        future.set_exception(TimeoutError())


def started(call: Callable[[], Result]) -> asyncio.Future[Result]:
    """Start a blocking call in a thread; return its result to come, to be awaited or cancelled."""
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

    _threads.run(work)
    return future


class _Threads:
    """Run calls in threads that wait a moment for another call: starting one takes 0.1 ms and more.

    As many run as there are calls. The pool of `concurrent.futures` would be waited for at the end
    of the program: a server that sends a byte now and then would hold it.
    """

    def __init__(self) -> None:
        self._idle: list[Inbox] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[], None]) -> None:
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), daemon=True).start()
        inbox.put(work)

    def forget(self) -> None:
        """Begin anew: a forked process has none of the threads."""
        self._idle, self._lock = [], threading.Lock()

    def _serve(self, inbox: Inbox) -> None:
        while True:
            try:
                inbox.get(timeout=IDLE_S)()
            except Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue  # a call is on its way
            with self._lock:
                self._idle.append(inbox)


_threads = _Threads()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_threads.forget)


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


class Guarded:
    """Call what is slow at times from an event loop; it is left alone for a while after it was.

    ``faults`` are what it may raise besides; ``on_fault`` hears of each, and of every TimeoutError.
    """

    def __init__(
        self,
        breaker: CircuitBreaker,
        faults: tuple[type[Exception], ...] = (),
        on_fault: Callable[[Exception, float], None] = lambda error, limit_s: None,
    ) -> None:
        self._breaker = breaker
        self._faults: tuple[type[Exception], ...] = (*faults, TimeoutError)
        self._on_fault = on_fault

    async def call(self, ask: Callable[[], Result], otherwise: Result, limit_s: float) -> Result:
        """Return what a blocking call returns; ``otherwise`` when it fails, is late or rests."""
        if not self._breaker.allows():
            return otherwise
        clock = Deadline(limit_s)
        try:
            result = await bounded(ask, limit_s)
        except self._faults as error:
            self._breaker.failed(clock.spent_s())
            self._on_fault(error, limit_s)
            return otherwise
        self._breaker.succeeded()
        return result
