"""Who reads the broker's socket: the loop while it keeps up, else the client's thread."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from channels.layers.host.client import reading as module
from channels.layers.host.client.reading import Reading
from channels.layers.host.client.receiver import LoopReader
from channels.layers.host.wire.poll_loop import PollLoop
from tests.layers.host.client.test_receiver import PATIENCE, Line, published

MODE = module._Mode


class Client(Line):
    """A line whose socket is read by a thread or a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.poll_loop = PollLoop("test-reading")
        self.poll_loop.start()
        self.writable = threading.Event()
        self.reading = Reading(self.poll_loop, self.receiver, self.writable.set)
        self.in_thread(lambda: self.reading.connect(self.near))

    @property
    def thread(self):
        return self.poll_loop._thread.ident

    def in_thread(self, function):
        done = threading.Event()
        self.poll_loop.call_soon(function)
        self.poll_loop.call_soon(done.set)
        assert done.wait(PATIENCE)

    async def lend(self):
        """Have the running loop read, and wait until it does; returns the number of what was sent last."""
        loop = asyncio.get_running_loop()
        self.queue.deliver_in(loop)
        self.reading.read_in(loop)
        return await self.until_the_loop_reads(1000)

    async def until_the_loop_reads(self, number):
        first = number
        self.delivered.clear()
        while self.reading._mode is MODE.READS or self.reading._loop_reader is None:
            number += 1
            self.send(published(number))
            await self.until_delivered(number - first)
            await asyncio.sleep(0.001)
        self.delivered.clear()
        self.threads.clear()
        return number

    async def until_it(self, mode, number):
        """Wait until the thread does so, however often it reads for a loop that gets no turn."""
        async with asyncio.timeout(PATIENCE):
            while self.reading._mode is not mode:
                if self.reading._mode is MODE.READS:
                    number = await self.until_the_loop_reads(number)
                await asyncio.sleep(0.005)
        return number

    def block_until_delivered(self, amount):
        """Hold up the loop until all is delivered elsewhere."""
        end = time.monotonic() + PATIENCE
        while len(self.delivered) < amount:
            assert time.monotonic() < end
            time.sleep(0.001)

    def close(self):
        self.in_thread(self.reading.disconnect)
        self.poll_loop.stop()
        assert self.poll_loop.join(PATIENCE)
        super().close()


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


async def test_without_a_loop_the_thread_reads(client):
    client.send(published(1))
    await client.until_delivered(1)
    assert client.threads == {client.thread}


async def test_the_loop_reads_while_it_keeps_up(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.2)  # on a busy machine a loop may get no turn for shorter times
    number = await client.lend()
    for n in range(1, 20):
        client.send(published(number + n))
        await client.until_delivered(n)
        await asyncio.sleep(0.02)
    assert client.reading._mode is MODE.LOOKS
    assert client.threads == {threading.get_ident()}


async def test_the_thread_looks_at_nothing_while_nothing_arrives(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.005)
    number = await client.lend()
    number = await client.until_it(MODE.WAITS, number)
    for _ in range(3):
        number += 1
        client.send(published(number))
        await client.until_delivered(1)
        client.delivered.clear()
        number = await client.until_it(MODE.WAITS, number)
        assert not client.reading._look_is_due


@pytest.mark.parametrize("mode", [MODE.LOOKS, MODE.WAITS])
async def test_the_thread_reads_for_a_loop_that_is_blocked(client, monkeypatch, mode):
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr("channels.layers.host.client.delivery_queue.MAX_WAITING", 0)
    number = await client.until_it(mode, await client.lend())
    client.send(published(number + 1))
    client.block_until_delivered(1)
    for n in range(2, 5):
        client.send(published(number + n))
        client.block_until_delivered(n)
    assert client.threads == {client.thread}
    assert client.delivered == [b"%d" % (number + n) for n in range(1, 5)]
    while client.reading._mode is MODE.READS:  # until the loop is seen to run again
        number += 10
        client.send(published(number))
        await asyncio.sleep(0.001)
    await client.until_delivered(5)


async def test_nothing_is_lost_or_changes_places_while_the_loop_comes_and_goes(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.002)
    number = await client.lend()
    sent = list(range(number + 1, number + 2001))

    def send():
        for n in sent:
            client.send(published(n))
            if n % 100 == 0:
                time.sleep(0.002)

    sender = threading.Thread(target=send)
    sender.start()
    while sender.is_alive():
        time.sleep(0.006)
        await asyncio.sleep(0.003)
    await client.until_delivered(len(sent))
    assert [int(payload) for payload in client.delivered] == sent


def test_the_thread_reads_for_a_loop_that_was_closed(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)
    number = asyncio.run(client.lend())
    client.send(published(number + 1))
    client.block_until_delivered(1)
    assert client.threads == {client.thread}


def test_the_thread_reads_for_a_loop_that_was_stopped(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)
    with asyncio.Runner() as runner:
        number = runner.run(client.lend())
        client.send(published(number + 1))
        client.block_until_delivered(1)
        assert client.threads == {client.thread}


async def test_who_waits_in_the_loops_thread_has_the_thread_read(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", PATIENCE)
    monkeypatch.setattr("channels.layers.host.client.delivery_queue.MAX_WAITING", 0)
    number = await client.lend()
    client.reading.read_here()
    client.send(published(number + 1))
    client.block_until_delivered(1)
    assert client.threads == {client.thread}


async def test_who_waits_elsewhere_leaves_it_to_the_loop(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", PATIENCE)
    await client.lend()
    await asyncio.to_thread(client.reading.read_here)
    await asyncio.to_thread(client.in_thread, lambda: None)
    assert client.reading._mode is MODE.LOOKS


async def test_the_end_of_the_connection_is_seen_by_the_thread_too(client, monkeypatch):
    monkeypatch.setattr(module, "LOOK", PATIENCE)
    number = await client.lend()
    client.send(published(number + 1))
    client.far.close()
    end = time.monotonic() + PATIENCE
    while not client.ends:  # the loop does nothing
        assert time.monotonic() < end
        time.sleep(0.001)
    await client.until_delivered(1)


async def test_the_next_connection_is_read_by_the_thread_until_a_loop_is_told(client):
    await client.lend()
    await asyncio.to_thread(client.in_thread, client.reading.disconnect)
    assert client.reading._loop_reader is None
    client.reading.read_in(asyncio.get_running_loop())
    await asyncio.to_thread(client.in_thread, lambda: None)
    assert client.reading._loop_reader is None, "there is nothing to read"
    await asyncio.to_thread(client.in_thread, lambda: client.reading.connect(client.near))
    assert client.reading._mode is MODE.READS


def test_a_loop_that_does_not_run_does_not_read(client):
    loop = asyncio.new_event_loop()
    client.reading.read_in(loop)
    client.in_thread(lambda: None)
    assert client.reading._loop_reader is None
    loop.close()


class ClosedLoop:
    """A loop that is closed between being asked and being told."""

    def is_running(self):
        return True

    def call_soon_threadsafe(self, callback):
        raise RuntimeError("Event loop is closed")


def test_a_loop_that_closes_at_that_moment_leaves_it_to_the_thread(client):
    loop: object = ClosedLoop()
    client.reading.read_in(loop)
    client.in_thread(lambda: None)
    assert client.reading._loop_reader is None


def test_the_room_that_somebody_waits_for_is_told_once(client):
    client.in_thread(client.reading.watch_for_room)
    assert client.writable.wait(PATIENCE)
    client.writable.clear()
    client.in_thread(lambda: None)
    assert not client.writable.is_set()


async def test_disconnecting_what_is_not_connected_is_harmless(client):
    await asyncio.to_thread(client.in_thread, client.reading.disconnect)
    await asyncio.to_thread(client.in_thread, client.reading.disconnect)
    client.reading.abandon()
    assert not client.receiver.connected


def test_what_a_child_has_inherited_is_closed(client):
    loop = asyncio.new_event_loop()
    reader = LoopReader(loop, client.near, client.receiver)
    client.reading._loop_reader = reader
    client.reading.abandon()
    assert reader._descriptor is None
    loop.close()
