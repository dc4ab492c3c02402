"""The office computer's server of bench/, as fast as a test needs it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from bench.office_server import Machine, OfficeServer

FAST = Machine(prompt_speed=1e5, output_speed=1e4, load_s=0.0)


@contextlib.contextmanager
def serving(machine: Machine) -> Iterator[tuple[str, OfficeServer]]:
    """Run the office computer's server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = OfficeServer(machine)
    listening = asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", server
    finally:
        loop.call_soon_threadsafe(listening.close)
        asyncio.run_coroutine_threadsafe(_end_others(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
