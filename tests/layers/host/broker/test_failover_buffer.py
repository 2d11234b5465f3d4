"""The time after a broker has died: what the next one keeps, gives back and counts."""

from __future__ import annotations

import socket

import pytest

from channels.layers.host.broker import failover_buffer as module
from channels.layers.host.broker.failover_buffer import FailoverBuffer
from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire import frames as wire

MEMBER = wire.GroupChange(9, "g", "c", "p", True, 1, 60)


@pytest.fixture
def sender():
    near, far = socket.socketpair()
    with far:
        peer = Peer(near)
        yield peer
        peer.close()


def publish(number, group="g", payload=b"payload"):
    return wire.Publish(number, group, payload)


def test_what_is_kept_comes_back_once_in_order(sender):
    buffer = FailoverBuffer()
    frames = [publish(1), wire.Direct(2, "p", "c", b""), MEMBER]
    for frame in frames:
        assert not buffer.keep(sender, frame)
    assert buffer.take_all() == [(sender, frame) for frame in frames]
    assert buffer.take_all() == []


def test_too_much_is_told(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    buffer = FailoverBuffer()
    assert not buffer.keep(sender, publish(1))
    assert buffer.keep(sender, publish(2))
    buffer.take_all()
    assert not buffer.keep(sender, publish(3))


def test_afterwards_it_only_counts(sender):
    buffer = FailoverBuffer()
    buffer.keep(sender, publish(1))
    buffer.keep(sender, MEMBER)
    assert buffer.missed(["g"]) == 0, "it will get it"
    assert len(buffer.close()) == 2
    assert not buffer.is_open
    buffer.keep(sender, publish(2))
    buffer.keep(sender, publish(3, "other"))
    buffer.keep(sender, MEMBER)
    assert buffer.take_all() == []
    assert buffer.missed(["g", "unknown"]) == 2
    assert buffer.missed(["g", "other"]) == 3


def test_the_number_of_groups_it_counts_is_bounded(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    buffer = FailoverBuffer()
    buffer.close()
    for n, group in enumerate(["a", "b", "c", "a"]):
        buffer.keep(sender, publish(n, group))
    assert buffer.missed(["a", "b", "c"]) == 3
