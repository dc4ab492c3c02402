"""Work that outlives the event loop of whoever caused it, in a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress

THREAD = "souffleur-probe"


class Background:
    """Run one coroutine to its end; ``at_end`` is called in its thread, whatever happened."""

    def __init__(
        self, work: Coroutine[None, None, bool], at_end: Callable[[Background], None]
    ) -> None:
        self.result: Future[bool] = Future()
        self._work = work
        self._at_end = at_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[bool] | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def cancel(self) -> None:
        """End it and wait until its thread has gone."""
        while self._thread.is_alive():
            if self._ready.is_set() and self._loop is not None and self._task is not None:
                with suppress(RuntimeError):  # it has just ended
                    self._loop.call_soon_threadsafe(self._task.cancel)
            await asyncio.sleep(0.01)

    def _run(self) -> None:
        try:
            worked = asyncio.run(self._main())
        except BaseException:  # cancelled, or a fault of ours: nobody else may be waiting for it
            worked = False
        self._at_end(self)
        if self.result.set_running_or_notify_cancel():
            self.result.set_result(worked)

    async def _main(self) -> bool:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        return await self._work
