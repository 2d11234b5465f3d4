"""What reads the broker's socket: in one thread at a time, each message once."""

from __future__ import annotations

import asyncio
import os
import socket
import threading

import pytest
import uvloop

from channels.layers.host.client import receiver as module
from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.client.receiver import LoopReader, Receiver
from channels.layers.host.wire import frames as wire

PATIENCE = 20


class Line:
    """A receiver, what it has handed over, and the broker's end of its socket."""

    def __init__(self) -> None:
        self.answers: list[wire.Answer] = []
        self.delivered: list[bytes] = []
        self.threads: set[int] = set()
        self.ends: list[wire.WireError | None] = []
        self.queue = DeliveryQueue({wire.Published: self.deliver, wire.Directed: self.deliver})
        self.receiver = Receiver({wire.Answer: self.answers.append}, self.queue, self.ends.append)
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.sendall(wire.PREAMBLE)
        self.receiver.connect(self.near)

    def deliver(self, frame: wire.Published | wire.Directed) -> None:
        self.delivered.append(frame.payload)
        self.threads.add(threading.get_ident())

    def read(self) -> None:
        self.receiver.read()
        self.queue.deliver()

    def send(self, *frames: wire.Frame) -> None:
        self.far.sendall(b"".join(map(wire.encode, frames)))

    async def until_delivered(self, amount: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.delivered) < amount:
                await asyncio.sleep(0.001)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def line():
    line = Line()
    yield line
    line.close()


def published(number: int, sender: str = "one") -> wire.Published:
    return wire.Published(sender, number, "g", b"%d" % number)


def test_frames_are_handled_or_delivered_and_messages_once(line):
    line.send(published(1), wire.Answer(7, "", {}), published(1), wire.Directed("one", 1, "c", b"again"))
    line.send(wire.Directed("one", 2, "c", b"2"))
    line.read()
    assert line.delivered == [b"1", b"2"]
    assert line.answers == [wire.Answer(7, "", {})]
    line.read()
    assert line.delivered == [b"1", b"2"]


def test_senders_that_ended_long_ago_are_forgotten(line, monkeypatch):
    monkeypatch.setattr(module, "MAX_SENDERS", 2)
    assert all(line.receiver.is_new(sender, 1) for sender in ("one", "two", "three", "one"))
    assert not line.receiver.is_new("three", 1)


def test_the_end_is_told_once_and_after_what_came_before_it(line):
    line.send(published(1))
    line.far.close()
    line.read()
    assert (line.delivered, line.ends) == ([b"1"], [])
    for _ in range(2):
        line.read()
    assert line.ends == [None]
    assert not line.receiver.connected


def test_a_broken_connection_has_ended(line):
    line.near.close()
    assert line.receiver.has_unread()
    line.read()
    assert line.ends == [None]


def test_what_is_no_frame_ends_it_with_the_error(line):
    line.send(published(1))
    line.far.sendall(b"\0\0\0\1\xc1")
    line.read()
    assert line.delivered == [b"1"]
    assert isinstance(line.ends[0], wire.WireError)


def test_another_thread_that_reads_is_not_waited_for(line):
    line.send(published(1))
    with line.receiver._reading:
        line.read()
        assert line.delivered == []
    line.read()
    assert line.delivered == [b"1"]


def test_a_receiver_without_a_connection_reads_nothing(line):
    line.receiver.disconnect()
    line.send(published(1))
    line.read()
    assert line.delivered == []
    assert not line.receiver.has_unread()


def test_it_says_whether_something_waits(line):
    line.read()
    assert not line.receiver.has_unread()
    line.send(published(1))
    assert line.receiver.has_unread()
    line.read()
    assert not line.receiver.has_unread()
    line.far.close()
    assert line.receiver.has_unread()


def in_loops(test):
    """Run a test in both kinds of loops."""

    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    def run(line, new_loop):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test(line))

    return run


@in_loops
async def test_a_loop_reads_and_delivers(line):
    loop = asyncio.get_running_loop()
    line.queue.deliver_in(loop)
    reader = LoopReader(loop, line.near, line.receiver)
    reader.begin()
    begun = reader.turns
    for number in (1, 2):
        line.send(published(number))
        await line.until_delivered(number)
    assert line.threads == {reader.thread} == {threading.get_ident()}
    assert reader.turns > begun
    reader.end()
    line.send(published(3))
    await asyncio.sleep(0.01)
    assert line.delivered == [b"1", b"2"]
    reader.end()


@in_loops
async def test_it_ends_with_the_connection(line):
    loop = asyncio.get_running_loop()
    reader = LoopReader(loop, line.near, line.receiver)
    reader.begin()
    line.far.close()
    while line.ends == []:
        await asyncio.sleep(0.001)
    assert reader._descriptor is None
    turns = reader.turns
    await asyncio.sleep(0.01)
    assert reader.turns == turns


@in_loops
async def test_it_can_be_stopped_from_another_thread_before_it_has_begun(line):
    reader = LoopReader(asyncio.get_running_loop(), line.near, line.receiver)
    await asyncio.to_thread(reader.stop)
    reader.begin()
    while reader._descriptor is not None:
        await asyncio.sleep(0.001)
    reader.begin()
    assert reader.turns == 0


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_ends_before_its_loop_is_closed(line, new_loop):
    loop = new_loop()
    reader = LoopReader(loop, line.near, line.receiver)
    loop.call_soon(reader.begin)
    loop.run_until_complete(asyncio.sleep(0))
    descriptor = reader._descriptor
    assert descriptor is not None and os.fstat(descriptor)
    loop.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    reader.stop()


def test_stopping_one_whose_loop_was_closed_before_it_began(line):
    loop = asyncio.new_event_loop()
    reader = LoopReader(loop, line.near, line.receiver)
    loop.close()
    reader.stop()
    assert reader._descriptor is None


async def test_a_loop_that_cannot_watch_sockets_leaves_it_to_the_thread(line, monkeypatch):
    def refuse(*args):
        raise NotImplementedError

    loop = asyncio.get_running_loop()
    reader = LoopReader(loop, line.near, line.receiver)
    monkeypatch.setattr(loop, "add_reader", refuse)
    reader.begin()
    assert (reader.turns, reader.thread) == (0, 0)
    reader.end()
    assert reader._descriptor is None
