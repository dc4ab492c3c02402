"""One generation a slot, a short waiting room, first come first served."""

import asyncio
import time

from rag.writing.slots import ROOM, Slots


def test_a_free_slot_is_taken_at_once_and_the_second_waits():
    async def ask():
        slots = Slots(1)
        assert await slots.take(0.0)
        assert not await slots.take(0.05)
        slots.give_back()
        assert await slots.take(0.0)

    asyncio.run(ask())


def test_who_finds_the_waiting_room_full_is_told_at_once():
    async def ask():
        slots = Slots(1)
        await slots.take(0.0)
        waiting = [asyncio.create_task(slots.take(5.0)) for _ in range(ROOM)]
        await asyncio.sleep(0.05)
        start = time.monotonic()
        assert not await slots.take(5.0)
        assert time.monotonic() - start < 0.05
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        slots.give_back()
        assert await slots.take(0.0)

    asyncio.run(ask())


def test_slots_go_to_those_who_wait_in_their_order():
    async def ask():
        slots, order = Slots(2), []

        async def work(number):
            assert await slots.take(5.0)
            order.append(number)
            await asyncio.sleep(0.01)
            slots.give_back()

        await asyncio.gather(*(work(number) for number in range(8)))
        assert order == sorted(order)

    asyncio.run(ask())


def test_threads_with_loops_of_their_own_share_the_slots():
    slots, most, now = Slots(1), [0], [0]

    async def work():
        assert await slots.take(10.0)
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.02)
        now[0] -= 1
        slots.give_back()

    import threading

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
