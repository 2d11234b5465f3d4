from __future__ import annotations

import socket

import pytest

from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.send_buffer import WriteBuffer


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


def test_frames_are_written_in_order_through_a_socket_that_is_often_full(pair):
    near, far = pair
    frames = [bytes([n % 256]) * (n * 37 % 3000) for n in range(1, 2000)]
    queue = WriteBuffer()
    for frame in frames:
        queue.append(frame)
    assert len(queue) == sum(map(len, frames))
    got = b""
    while not queue.write(near):
        assert len(queue) == queue.queued - queue.written
        got += far.recv(100_000)
    near.close()
    while data := far.recv(100_000):
        got += data
    assert got == b"".join(frames)
    assert len(queue) == 0


def test_what_is_lost_with_the_socket_are_the_messages_in_it(pair):
    queue = WriteBuffer()
    queue.append(wire.PREAMBLE)
    queue.append(wire.encode(wire.Accepted(1)))
    for n in range(500):
        queue.append(wire.encode(wire.Published("p", n, "g", b"x" * 5000)))
    assert queue.lost_messages() == 500
    queue.write(pair[0])
    assert 0 < queue.lost_messages() < 500


def test_a_peer_that_has_gone_is_an_error(pair):
    queue = WriteBuffer()
    queue.append(b"x")
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        queue.write(pair[0])
