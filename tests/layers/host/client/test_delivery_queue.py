from __future__ import annotations

import asyncio
import threading
from types import FunctionType

from channels.layers.host.client import delivery_queue as module
from channels.layers.host.client.delivery_queue import DeliveryQueue


class Deliveries:
    """What was delivered, where, in which turn of the loop."""

    def __init__(self) -> None:
        self.queue = DeliveryQueue({int: self.make, FunctionType: lambda function: function()})
        self.made: list[tuple[int, int]] = []

    def make(self, number: int) -> None:
        self.made.append((number, threading.get_ident()))

    def read(self, *numbers: int, size: int = 0) -> None:
        """What a thread does for one read."""
        self.queue.add(numbers, size)
        self.queue.hand_over()

    @property
    def numbers(self):
        return [number for number, _ in self.made]

    @property
    def threads(self):
        return {thread for _, thread in self.made}


async def read_elsewhere(deliveries, *numbers, **keywords):
    """Read in another thread; returns its identity."""

    def read():
        deliveries.read(*numbers, **keywords)
        return threading.get_ident()

    return await asyncio.to_thread(read)


async def test_one_read_is_one_turn_of_the_loop():
    deliveries = Deliveries()
    deliveries.queue.deliver_in(asyncio.get_running_loop())
    deliveries.read(1, 2, 3)
    assert deliveries.numbers == []
    await asyncio.sleep(0)
    assert deliveries.numbers == [1, 2, 3]


async def test_the_loop_stays_the_same_while_it_runs():
    deliveries = Deliveries()
    assert deliveries.queue.deliver_in(asyncio.get_running_loop())
    assert not deliveries.queue.deliver_in(asyncio.get_running_loop())

    async def other():
        return deliveries.queue.deliver_in(asyncio.get_running_loop())

    assert not await asyncio.to_thread(asyncio.run, other())
    assert deliveries.queue.loop is asyncio.get_running_loop()


def test_a_loop_that_has_ended_is_followed_by_the_next():
    deliveries = Deliveries()

    async def consumer():
        return deliveries.queue.deliver_in(asyncio.get_running_loop())

    assert asyncio.run(consumer())
    assert asyncio.run(consumer())


async def test_reads_in_another_thread_are_delivered_in_the_loops():
    deliveries = Deliveries()
    deliveries.queue.deliver_in(asyncio.get_running_loop())
    await read_elsewhere(deliveries, 1)
    await read_elsewhere(deliveries, 2)
    while len(deliveries.made) < 2:
        await asyncio.sleep(0)
    assert deliveries.numbers == [1, 2]
    assert deliveries.threads == {threading.get_ident()}


async def test_without_a_loop_the_reader_delivers():
    deliveries = Deliveries()
    assert deliveries.threads == set()
    reader = await read_elsewhere(deliveries, 1)
    assert deliveries.threads == {reader}


def test_a_loop_that_has_ended_is_not_waited_for():
    deliveries = Deliveries()

    async def consumer():
        deliveries.queue.deliver_in(asyncio.get_running_loop())

    asyncio.run(consumer())
    deliveries.read(1)
    assert deliveries.numbers == [1]


def test_what_a_loop_was_told_and_did_not_do_is_done_at_the_next_look():
    deliveries = Deliveries()
    loop = asyncio.new_event_loop()

    async def consumer():
        deliveries.queue.deliver_in(loop)
        deliveries.read(1)
        loop.stop()

    consuming = loop.create_task(consumer())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert consuming.done()
    loop.close()
    deliveries.queue.hand_over()
    deliveries.read(2)
    assert deliveries.numbers == [1, 2]


class ClosedLoop:
    """A loop that is closed between being asked and being told."""

    def is_running(self):
        return True

    def call_soon_threadsafe(self, callback):
        raise RuntimeError("Event loop is closed")


def test_a_loop_that_closes_at_that_moment_leaves_it_to_the_reader():
    deliveries = Deliveries()
    deliveries.queue.deliver_in(ClosedLoop())  # type: ignore[arg-type]
    deliveries.read(1)
    assert deliveries.numbers == [1]


async def test_a_loop_that_cannot_keep_up_is_not_waited_for():
    deliveries = Deliveries()
    deliveries.queue.deliver_in(asyncio.get_running_loop())
    deliveries.read(*range(module.MAX_WAITING))
    assert deliveries.numbers == []
    deliveries.read(module.MAX_WAITING)
    assert deliveries.numbers == list(range(module.MAX_WAITING + 1))
    await asyncio.sleep(0)  # it was told before; nothing is delivered twice
    deliveries.read(-1, size=module.MAX_BYTES)
    assert deliveries.numbers[-1] != -1
    deliveries.read(-2, size=1)
    assert deliveries.numbers[-2:] == [-1, -2]
    deliveries.read(-3, size=1)  # bytes that were delivered do not count any more
    assert deliveries.numbers[-1] == -2


async def test_two_threads_deliver_in_order_and_once():
    deliveries = Deliveries()
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        inside.set()
        go_on.wait(30)

    deliveries.queue.add([slow])
    first = asyncio.to_thread(deliveries.queue.deliver)
    waiting = asyncio.ensure_future(first)
    await asyncio.to_thread(inside.wait, 30)
    deliveries.read(1)  # the other thread is at it
    assert deliveries.numbers == []
    go_on.set()
    await waiting
    assert deliveries.numbers == [1]


def test_what_fails_holds_up_nothing_behind_it(caplog):
    deliveries = Deliveries()
    deliveries.queue.add([lambda: 1 / 0])
    deliveries.read(1)
    assert deliveries.numbers == [1]
    assert "could not be delivered" in caplog.text
