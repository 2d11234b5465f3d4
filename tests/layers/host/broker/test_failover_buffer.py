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
    window = FailoverBuffer()
    frames = [publish(1), wire.Direct(2, "p", "c", b""), MEMBER]
    for frame in frames:
        assert not window.touch(sender, frame)
    assert window.take_all() == [(sender, frame) for frame in frames]
    assert window.take_all() == []


def test_too_much_is_told(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    window = FailoverBuffer()
    assert not window.touch(sender, publish(1))
    assert window.touch(sender, publish(2))
    window.take_all()
    assert not window.touch(sender, publish(3))


def test_afterwards_it_only_counts(sender):
    window = FailoverBuffer()
    window.touch(sender, publish(1))
    window.touch(sender, MEMBER)
    assert window.missed(["g"]) == 0, "it will get it"
    assert len(window.close()) == 2
    assert not window.is_open
    window.touch(sender, publish(2))
    window.touch(sender, publish(3, "other"))
    window.touch(sender, MEMBER)
    assert window.take_all() == []
    assert window.missed(["g", "unknown"]) == 2
    assert window.missed(["g", "other"]) == 3


def test_the_number_of_groups_it_counts_is_bounded(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    window = FailoverBuffer()
    window.close()
    for n, group in enumerate(["a", "b", "c", "a"]):
        window.touch(sender, publish(n, group))
    assert window.missed(["a", "b", "c"]) == 3
