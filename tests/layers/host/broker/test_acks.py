from __future__ import annotations

import socket

import pytest

from channels.layers.host.broker.acks import MAX_BATCHES, AckTracker
from channels.layers.host.broker.peer import Peer


@pytest.fixture
def peers():
    made = []
    for name in ("one", "two", "slow"):
        near, far = socket.socketpair()
        made.append((Peer(near), far))
        made[-1][0].process = name
    yield [peer for peer, _ in made]
    for peer, far in made:
        peer.close()
        far.close()


def test_what_everybody_has_taken_is_passed_on(peers):
    one, two, _ = peers
    acks = AckTracker()
    assert acks.open({one: 2, two: 7}) == {"one": 2, "two": 7}
    assert dict(acks.end_turn({one: 2, two: 7}, [])) == {one: 2, two: 7}
    assert acks.open({}) == {}
    assert list(acks.end_turn({}, [])) == []


def test_a_slow_receiver_holds_it_up_until_it_has_taken_its_share_or_has_gone(peers):
    one, two, slow = peers
    acks = AckTracker()
    slow.queue.queued = 100
    assert list(acks.end_turn({one: 1}, [slow])) == []
    slow.queue.queued = 200
    assert list(acks.end_turn({two: 2}, [slow])) == []
    assert acks.open({}) == {"one": 1, "two": 2}
    slow.queue.written = 100
    assert dict(acks.end_turn({}, [slow])) == {one: 1}
    slow.close()
    assert dict(acks.end_turn({one: 3}, [])) == {two: 2, one: 3}


def test_what_is_held_is_passed_on_later(peers):
    one, two, _ = peers
    acks = AckTracker()
    assert list(acks.end_turn({one: 1}, [], held=True)) == []
    assert acks.open({two: 5}) == {"one": 1, "two": 5}
    assert dict(acks.end_turn({two: 5}, [])) == {one: 1, two: 5}


def test_the_number_of_turns_that_wait_is_bounded(peers):
    one, _, slow = peers
    acks = AckTracker()
    for n in range(3 * MAX_BATCHES):
        slow.queue.queued = n + 1
        acks.end_turn({one: n}, [slow])
    assert len(acks._batches) == MAX_BATCHES
    assert list(acks.end_turn({}, [slow])) == []
    slow.queue.written = MAX_BATCHES
    assert list(acks.end_turn({}, [slow]))[-1] == (one, MAX_BATCHES - 2)
    slow.queue.written = slow.queue.queued
    assert list(acks.end_turn({}, [slow])) == [(one, 3 * MAX_BATCHES - 1)]
