"""Who goes next at the gate of the look-ups."""

from __future__ import annotations

import asyncio

from rag.server.gate import Gate


def test_who_is_in_a_conversation_goes_before_newcomers() -> None:
    async def order() -> list[str]:
        gate, seen = Gate(1), []

        async def look_up(name: str, *, newcomer: bool) -> None:
            await gate.acquire(newcomer=newcomer)
            seen.append(name)
            await asyncio.sleep(0)
            gate.release()

        await gate.acquire(newcomer=True)
        crowd = [asyncio.create_task(look_up(f"new {n}", newcomer=True)) for n in range(3)]
        known = asyncio.create_task(look_up("known", newcomer=False))
        await asyncio.sleep(0)
        crowd[0].cancel()
        await asyncio.sleep(0)
        gate.release()
        await asyncio.gather(*crowd, known, return_exceptions=True)
        await asyncio.wait_for(gate.acquire(newcomer=True), 1)  # every place was given back
        return seen

    assert asyncio.run(order()) == ["known", "new 1", "new 2"]


def test_a_place_that_comes_as_somebody_gives_up_is_passed_on() -> None:
    async def passed_on() -> None:
        gate = Gate(1)
        await gate.acquire(newcomer=True)
        waiting = asyncio.create_task(gate.acquire(newcomer=True))
        await asyncio.sleep(0)
        gate.release()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(gate.acquire(newcomer=True), 1)

    asyncio.run(passed_on())
