"""Blocking calls within a deadline: left behind when late, in threads that are used again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from rag.core.deadline import IDLE_S, bounded
from tests.commands import ROOT

FORK = """
import asyncio, os, threading
from rag.core.deadline import bounded
asyncio.run(bounded(threading.get_ident, 5))
if (child := os.fork()) == 0:
    os._exit(7 if asyncio.run(bounded(lambda: "heard", 5)) == "heard" else 8)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
LATE = """
import asyncio, time
from rag.core.deadline import bounded
try:
    asyncio.run(bounded(lambda: time.sleep(60), 0.1))
except TimeoutError:
    print("late")
"""


def test_calls_one_after_the_other_share_a_thread() -> None:
    async def calls() -> list[int]:
        found = []
        for _ in range(5):
            found.append(await bounded(threading.get_ident, 5))
            await asyncio.sleep(0.01)
        return found

    assert len(set(asyncio.run(calls()))) == 1


def test_calls_at_once_do_not_wait_for_one_another() -> None:
    together = threading.Barrier(8, timeout=5)

    async def calls() -> None:
        await asyncio.gather(*(bounded(together.wait, 5) for _ in range(8)))

    asyncio.run(calls())


def test_a_late_call_is_left_behind_and_the_next_one_is_not() -> None:
    async def calls() -> str:
        with pytest.raises(TimeoutError):
            await bounded(lambda: time.sleep(0.5), 0.05)
        start = time.monotonic()
        answer = await bounded(lambda: "in time", 5)
        assert time.monotonic() - start < 0.3
        return answer

    assert asyncio.run(calls()) == "in time"


def test_what_a_call_raises_is_raised_and_its_thread_goes_on() -> None:
    async def calls() -> int:
        with pytest.raises(ZeroDivisionError):
            await bounded(lambda: 1 // 0, 5)
        return await bounded(lambda: 1, 5)

    assert asyncio.run(calls()) == 1


def test_idle_threads_end() -> None:
    thread = asyncio.run(bounded(threading.current_thread, 5))
    thread.join(IDLE_S + 5)
    assert not thread.is_alive()


@pytest.mark.parametrize(("script", "code", "said"), [(LATE, 0, "late\n"), (FORK, 7, "")])
def test_a_program_ends_and_forks_whatever_its_threads_do(
    script: str, code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, said), done.stderr
