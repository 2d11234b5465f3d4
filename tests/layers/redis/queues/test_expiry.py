from __future__ import annotations

import asyncio

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.queues import expiry as module
from channels.layers.redis.queues.expiry import ExpiryTimer


class WorkQueues:
    """What a sweeper is told about queues, one answer for each look."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.looked = asyncio.Queue()
        self.tasks = []
        self.sweeper = ExpiryTimer(0.001, self.sweep, self.start)

    async def sweep(self, channel):
        self.looked.put_nowait(channel)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def start(self, coroutine):
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def finished(self):
        while self.answers or not all(task.done() for task in self.tasks):
            await asyncio.sleep(0.001)


async def test_it_looks_until_nothing_is_left_also_when_redis_was_away():
    queues = WorkQueues(2, RedisUnavailable("away"), 0)
    queues.sweeper.watch("jobs")
    queues.sweeper.watch("jobs")
    await queues.finished()
    assert queues.looked.qsize() == 3
    assert queues.sweeper._timers == {}


async def test_closing_ends_the_timers_of_this_loop_only():
    queues = WorkQueues(0)

    async def watch_elsewhere():
        queues.sweeper.watch("elsewhere")

    await asyncio.to_thread(asyncio.run, watch_elsewhere())
    queues.sweeper.watch("jobs")
    queues.sweeper.close()
    assert list(queues.sweeper._timers) == ["elsewhere"]
    queues.sweeper.watch("elsewhere")  # its loop has ended: this one takes over
    await queues.finished()
    assert queues.looked.get_nowait() == "elsewhere"


async def test_it_has_a_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_QUEUES", 2)
    queues = WorkQueues(0, 0)

    async def watch_elsewhere():
        queues.sweeper.watch("elsewhere")

    await asyncio.to_thread(asyncio.run, watch_elsewhere())
    for channel in ("a", "b", "c"):
        queues.sweeper.watch(channel)
    assert sorted(queues.sweeper._timers) == ["a", "b"]
    await queues.finished()
