from __future__ import annotations

import asyncio

from channels.server.io.waiters import Waiters


async def test_all_who_wait_go_on() -> None:
    waiters = Waiters()
    tasks = [asyncio.ensure_future(waiters.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters.wake()
    waiters.wake()  # before they had their turn
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_who_comes_later_waits_for_the_next_time() -> None:
    waiters = Waiters()
    waiters.wake()
    task = asyncio.ensure_future(waiters.wait())
    await asyncio.sleep(0)
    assert not task.done()
    waiters.wake()
    await asyncio.wait_for(task, 5)


async def test_a_cancelled_one_leaves_the_others_waiting_and_nothing_behind() -> None:
    waiters = Waiters()
    gone, other = [asyncio.ensure_future(waiters.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert len(waiters._futures) == 1
    waiters.wake()
    await asyncio.wait_for(other, 5)
    assert waiters._futures == []
