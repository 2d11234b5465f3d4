"""One channel: its unread messages, and whoever receives them, in whichever thread."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from channels.layers.local.channel import LocalChannel, announce_all, call_in_loop, resolve

PATIENCE = 20


class Owner:
    """Whose clock stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.expirations: list[tuple[str, int]] = []

    def clock(self) -> float:
        return self.now

    def expired(self, channel: LocalChannel, amount: int) -> None:
        self.expirations.append((channel.name, amount))


@pytest.fixture
def owner():
    return Owner()


@pytest.fixture
def channel(owner):
    return LocalChannel("c", owner, capacity=2)


def message(n):
    return {"type": "m", "n": n}


def test_messages_come_out_in_order_and_no_more_than_fit(channel):
    assert (len(channel), channel.qsize(), channel.empty()) == (0, 0, True)
    assert channel.receive_nowait() is None
    assert [channel.append(message(n), 10) for n in range(3)] == [True, True, False]
    assert (len(channel), channel.qsize(), channel.empty()) == (2, 2, False)
    assert [channel.receive_nowait()["n"] for _ in range(2)] == [0, 1]
    assert channel.receive_nowait() is None


def test_what_has_expired_makes_room_and_is_told(channel, owner):
    channel.append(message(0), 5)
    channel.append(message(1), 15)
    owner.now = 10
    assert channel.append(message(2), 20)
    assert owner.expirations == [("c", 1)]
    assert channel.receive_nowait()["n"] == 1
    owner.now = 30
    assert channel.receive_nowait() is None
    assert owner.expirations == [("c", 1), ("c", 1)]
    assert channel.drop_expired() == 0


def test_behind_what_has_expired_is_the_next(channel, owner):
    channel.append(message(0), 5)
    channel.append(message(1), 15)
    owner.now = 10
    assert channel.receive_nowait()["n"] == 1


async def test_who_has_it_and_whether_anybody_would_miss_it(channel):
    assert (channel.attached, channel.served, channel.idle) == (False, False, True)
    channel.attach(reconnect_notice=True)
    channel.set_direct(lambda broadcast: True)
    assert (channel.attached, channel.served, channel.idle) == (True, True, False)
    assert channel.loop is asyncio.get_running_loop()
    assert channel.thread == threading.get_ident()
    assert channel.reconnect_notice
    channel.detach()
    assert (channel.attached, channel.served, channel.idle, channel.direct) == (False, False, True, None)
    channel.append(message(0), 10)
    assert not channel.idle


async def waiting(channel):
    """Begin to wait for a message."""
    task = asyncio.ensure_future(channel.receive())
    await asyncio.sleep(0)
    return task


async def test_who_waits_longest_gets_the_first(channel):
    first, second = await waiting(channel), await waiting(channel)
    assert channel.served
    for n in range(2):
        channel.append(message(n), 10)
        channel.announce()
    assert (await first)["n"] == 0
    assert (await second)["n"] == 1


async def test_a_cancelled_wait_passes_its_turn_on(channel):
    first, second = await waiting(channel), await waiting(channel)
    channel.append(message(0), 10)
    channel.announce()
    first.cancel()
    assert (await asyncio.wait_for(second, PATIENCE))["n"] == 0
    with pytest.raises(asyncio.CancelledError):
        await first
    third = await waiting(channel)
    third.cancel()
    await asyncio.wait([third])
    assert channel.idle


async def test_a_message_for_a_handler_that_waits_does_not_wake_its_consumer(channel):
    calls = []
    channel.attach(False)
    channel.set_wakeup(lambda: calls.append("woken"))
    task = await waiting(channel)
    channel.append(message(0), 10)
    channel.announce()
    assert (await task)["n"] == 0
    assert calls == []
    channel.append(message(1), 10)
    channel.announce()
    assert calls == ["woken"]
    channel.set_wakeup(None)
    channel.announce()
    assert calls == ["woken"]


def test_waiters_whose_loops_were_closed_are_passed_over(channel):
    loop = asyncio.new_event_loop()
    task = loop.create_task(channel.receive())
    loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # the test's own task
    loop.close()

    async def go_on():
        following = await waiting(channel)
        channel.append(message(0), 10)
        channel.announce()
        assert (await asyncio.wait_for(following, PATIENCE))["n"] == 0

    asyncio.run(go_on())
    channel.announce()


async def test_receivers_in_other_threads_are_told_in_theirs(owner):
    told: list[tuple[str, int]] = []
    done = threading.Event()
    here = LocalChannel("here", owner, 1)
    here.attach(False)
    here.set_wakeup(lambda: told.append(("here", threading.get_ident())))
    others = [LocalChannel(name, owner, 1) for name in ("a", "b")]
    single = LocalChannel("single", owner, 1)
    ready = threading.Event()

    def note(name: str) -> None:
        told.append((name, threading.get_ident()))

    async def elsewhere():
        for each in (*others, single):
            each.attach(False)
            each.set_wakeup(partial(note, each.name))
        ready.set()
        await asyncio.to_thread(done.wait, PATIENCE)

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    assert await asyncio.to_thread(ready.wait, PATIENCE)
    announce_all([here, *others, LocalChannel("nobody's", owner, 1)])
    single.announce()
    async with asyncio.timeout(PATIENCE):
        while len(told) < 4:
            await asyncio.sleep(0.001)
    assert set(told) == {
        ("here", threading.get_ident()),
        *((name, thread.ident) for name in ("a", "b", "single")),
    }
    done.set()
    await asyncio.to_thread(thread.join, PATIENCE)
    single.announce()  # its loop was closed: nobody is left to tell
    assert len(told) == 4


async def test_a_waiter_in_another_thread_is_woken_there(channel):
    ready = threading.Event()
    got = []

    async def elsewhere():
        task = await waiting(channel)
        ready.set()
        got.append((await asyncio.wait_for(task, PATIENCE))["n"])

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    assert await asyncio.to_thread(ready.wait, PATIENCE)
    channel.append(message(7), 10)
    channel.announce()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert got == [7]


async def test_a_channel_with_a_waiter_is_announced_to_it_with_others(owner):
    channel = LocalChannel("c", owner, 1)
    channel.attach(False)
    channel.set_wakeup(lambda: None)
    task = await waiting(channel)
    channel.append(message(1), 10)
    announce_all([channel])
    assert (await asyncio.wait_for(task, PATIENCE))["n"] == 1


async def test_waking_twice_and_calling_in_a_closed_loop_are_harmless():
    waiter = asyncio.get_running_loop().create_future()
    resolve(waiter)
    resolve(waiter)
    assert waiter.done()
    loop = asyncio.new_event_loop()
    loop.close()
    call_in_loop(loop, print)
