from __future__ import annotations

import asyncio
import itertools
import socket
import threading

import pytest

from channels.layers.host.client import sender as module
from channels.layers.host.client.sender import Sender
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire


class Wire:
    """An outbox with the broker's end of its connection."""

    def __init__(self):
        self.full = 0
        self.sender = Sender(self.note_full, itertools.count(1))
        self.connect()

    def note_full(self):
        self.full += 1

    def connect(self):
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.far.setblocking(False)
        self.near = near
        self.reader = wire.FrameReader(wire.MAX_FRAME)
        self.sender.connect(near, wire.encode(wire.Ping(0)))

    def frames(self):
        """What the broker can read now."""
        frames = []
        while True:
            try:
                data = self.far.recv(65536)
            except BlockingIOError:
                return frames
            frames += self.reader.receive_data(data)

    def close(self):
        self.near.close()
        self.far.close()


@pytest.fixture
def line():
    line = Wire()
    assert line.frames() == [wire.Ping(0)]
    yield line
    line.close()


def publish(n=wire.UNSENT):
    return wire.Publish(n, "g", b"")


def large():
    return wire.Publish(wire.UNSENT, "g", b"x" * 100_000)


def test_frames_are_numbered_and_written_at_once(line):
    line.sender.post(publish(), is_message=True)
    line.sender.post(wire.Ping(wire.UNSENT), Request())
    assert line.frames() == [publish(1), wire.Ping(2)]
    assert line.sender.empty


async def test_an_event_loop_writes_once_a_turn(line):
    for _ in range(3):
        line.sender.post(publish(), is_message=True)
    assert line.frames() == []
    assert not line.sender.empty
    await asyncio.sleep(0)
    assert line.frames() == [publish(n) for n in (1, 2, 3)]


async def test_a_loop_does_not_wait_for_the_turn_of_another(line):
    line.sender.post(publish(), is_message=True)

    async def other():
        line.sender.post(publish(), is_message=True)

    thread = threading.Thread(target=asyncio.run, args=[other()])
    thread.start()
    thread.join()
    assert line.frames() == [publish(1), publish(2)]


async def test_a_loop_that_never_ends_its_turn_writes_too(line):
    for _ in range(module.COLLECT):
        line.sender.post(publish(), is_message=True)
    assert len(line.frames()) == module.COLLECT


async def test_a_request_takes_along_what_was_collected(line):
    line.sender.post(publish(), is_message=True)
    line.sender.post(wire.Ping(wire.UNSENT), Request())
    assert line.frames() == [publish(1), wire.Ping(2)]


def test_many_threads_keep_each_ones_order(line):
    def send(name):
        for n in range(300):
            line.sender.post(wire.Publish(wire.UNSENT, name, b"%d" % n), is_message=True)

    threads = [threading.Thread(target=send, args=[f"t{t}"]) for t in range(4)]
    for thread in threads:
        thread.start()
    got = []
    while len(got) < 1200:
        line.sender.resume()
        got += line.frames()
    for thread in threads:
        thread.join()
    assert [frame.number for frame in got] == list(range(1, 1201))
    for t in range(4):
        assert [int(frame.payload) for frame in got if frame.group == f"t{t}"] == list(range(300))


def test_who_writes_takes_along_what_others_post_meanwhile(line, monkeypatch):
    """As a signal handler would that interrupts the writing."""
    encode = wire.encode

    def interrupted(frame):
        monkeypatch.undo()
        line.sender.post(wire.Ping(wire.UNSENT))
        return encode(frame)

    monkeypatch.setattr(wire, "encode", interrupted)
    line.sender.post(publish())
    assert line.frames() == [publish(1), wire.Ping(2)]


def test_a_full_socket_is_told_and_resumed(line):
    while not line.full:
        line.sender.post(large())
    posted = next(line.sender._numbers) - 1
    got = line.frames()
    while not line.sender.empty:
        line.sender.resume()
        got += line.frames()
    assert [frame.number for frame in got] == list(range(1, posted + 1))


def test_senders_wait_when_too_much_waits(line, monkeypatch):
    monkeypatch.setattr(module, "HIGH_WATER", 1_000_000)
    monkeypatch.setattr(module, "LOW_WATER", 500_000)
    assert line.sender.post(publish(), is_message=True) is None
    while (waiter := line.sender.post(large(), is_message=True)) is None:
        line.sender.post(large())
    assert line.sender.post(wire.Ping(wire.UNSENT)) is None
    gave_up = line.sender.post(large(), is_message=True)
    gave_up.cancel()
    while not line.sender.empty:
        assert not waiter.done() or len(line.sender._write_buffer) <= 500_000
        line.frames()
        line.sender.resume()
    assert waiter.result(0) is None


def test_a_broker_that_has_gone_is_no_error_and_the_next_is_told_again(line):
    line.far.close()
    line.sender.post(publish(), is_message=True)
    request = Request()
    line.sender.post(wire.Ping(wire.UNSENT), request)
    line.sender.disconnect()
    line.sender.post(publish(), is_message=True)
    line.near.close()
    line.connect()
    assert line.frames() == [wire.Ping(0), publish(1), wire.Ping(2), publish(3)]
    line.sender.unacked.accepted(1)
    line.sender.disconnect()
    line.close()
    line.connect()
    assert line.frames() == [wire.Ping(0), wire.Ping(2), publish(3)]


def test_giving_up_counts_and_tells_everybody(line):
    line.sender.disconnect()
    line.sender.post(publish(), is_message=True)
    request = Request()
    line.sender.post(wire.Ping(wire.UNSENT), request)
    waiter = line.sender._waiters
    waiter.append(Request().future)
    room = waiter[0]
    assert line.sender.give_up(ConnectionError("gone")) == 1
    assert isinstance(request.future.exception(0), ConnectionError)
    assert room.result(0) is None
    assert line.sender.empty
