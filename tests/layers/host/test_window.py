from __future__ import annotations

import socket

import pytest

from channels.layers.host import window as module
from channels.layers.host import wire
from channels.layers.host.peers import Peer
from channels.layers.host.window import Window

MEMBER = wire.Member(9, "g", "c", "p", True, 1, 60)


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
    window = Window()
    frames = [publish(1), wire.Direct(2, "p", "c", b""), MEMBER]
    for frame in frames:
        assert not window.keep(sender, frame)
    assert window.take_all() == [(sender, frame) for frame in frames]
    assert window.take_all() == []


def test_too_much_is_told(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    window = Window()
    assert not window.keep(sender, publish(1))
    assert window.keep(sender, publish(2))
    window.take_all()
    assert not window.keep(sender, publish(3))


def test_afterwards_it_only_counts(sender):
    window = Window()
    window.keep(sender, publish(1))
    window.keep(sender, MEMBER)
    assert window.missed(["g"]) == 0, "it will get it"
    assert len(window.close()) == 2
    assert not window.is_open
    window.keep(sender, publish(2))
    window.keep(sender, publish(3, "other"))
    window.keep(sender, MEMBER)
    assert window.take_all() == []
    assert window.missed(["g", "unknown"]) == 2
    assert window.missed(["g", "other"]) == 3


def test_the_number_of_groups_it_counts_is_bounded(sender, monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    window = Window()
    window.close()
    for n, group in enumerate(["a", "b", "c", "a"]):
        window.keep(sender, publish(n, group))
    assert window.missed(["a", "b", "c"]) == 3
