"""A crowd of new connections is let in one by one, and whoever fails stops nobody."""

from __future__ import annotations

import asyncio

from rag.server.protocols import Turnstile


def test_others_have_their_turn_between_new_connections() -> None:
    async def seen() -> list[str]:
        loop, turnstile = asyncio.get_running_loop(), Turnstile()
        loop.set_exception_handler(lambda *_: None)
        found: list[str] = []

        def fail() -> None:
            found.append("fails")
            raise ConnectionResetError

        for begin in (lambda: found.append("first"), fail, lambda: found.append("last")):
            turnstile.enter(begin)
        for _ in range(3):
            await asyncio.sleep(0)
            found.append("other")
        await asyncio.sleep(0.05)
        turnstile.enter(lambda: found.append("late"))
        await asyncio.sleep(0.05)
        return found

    assert asyncio.run(seen()) == ["first", "other", "fails", "other", "last", "other", "late"]
