from __future__ import annotations

import socket

import pytest

from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire import frames as wire

MESSAGE = wire.encode(wire.Published("p", 1, "g", b"x" * 1000))


@pytest.fixture
def pair():
    """A peer, and the process' end of its connection."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with far:
        peer = Peer(near)
        yield peer, far
        peer.close()


def test_frames_go_both_ways(pair):
    peer, far = pair
    far.send(wire.PREAMBLE + wire.encode(wire.Ping(1)))
    assert list(peer.read()) == [wire.Ping(1)]
    assert list(peer.read()) == []
    peer.send(MESSAGE)
    assert peer.write()
    assert far.recv(10_000) == wire.PREAMBLE + MESSAGE


def test_the_end_of_a_process_is_an_end_of_file(pair):
    peer, far = pair
    far.send(wire.PREAMBLE + wire.encode(wire.Ping(1)))
    far.close()
    assert list(peer.read()) == [wire.Ping(1)]
    with pytest.raises(EOFError):
        list(peer.read())


def test_a_reset_is_an_end_as_well(pair):
    peer, far = pair
    peer.write()
    far.close()
    with pytest.raises(EOFError):
        list(peer.read())
    peer.send(MESSAGE)
    assert peer.write(), "reading tells that it has gone"
    peer.write_all(1)


def test_who_has_gone_misses_messages_and_they_are_counted(pair):
    peer, _ = pair
    for _ in range(1000):
        peer.send(MESSAGE)
    assert not peer.write()
    peer.close()
    waiting = peer.lost
    assert 0 < waiting < 1000
    peer.send(MESSAGE)
    peer.send(wire.encode(wire.Accepted(1)))
    assert peer.lost == waiting + 1
    assert peer.write() and list(peer.read()) == []
    peer.write_all(0.01)
    peer.close()


def test_writing_all_waits_no_longer_than_it_may(pair):
    peer, _ = pair
    for _ in range(1000):
        peer.send(MESSAGE)
    peer.write_all(0.05)
    assert len(peer.queue) > 0
