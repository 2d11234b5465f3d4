from __future__ import annotations

import pytest

from channels.layers.host.client import unacked as module
from channels.layers.host.client.unacked import Request, UnackedBuffer


def ask(unacked, number):
    request = Request()
    request.number = number
    unacked.ask(request, b"request %d" % number)
    return request


def test_frames_are_kept_in_order_until_they_are_answered():
    unacked = UnackedBuffer()
    unacked.add(1, b"one", True)
    second = ask(unacked, 2)
    unacked.add(3, b"three", False)
    assert unacked.in_order() == [b"one", b"request 2", b"three"]
    unacked.accepted(1)
    assert unacked.answered(2) is second
    assert unacked.answered(2) is None
    assert unacked.in_order() == [b"three"]
    unacked.accepted(3)
    assert unacked.in_order() == []


def test_a_request_nobody_waits_for_is_not_told_again_and_has_no_answer():
    unacked = UnackedBuffer()
    ask(unacked, 1).future.cancel()
    ask(unacked, 2).future.cancel()
    assert unacked.answered(1) is None
    assert unacked.in_order() == []


def test_too_much_is_forgotten_and_counted_until_it_is_accepted(monkeypatch):
    monkeypatch.setattr(module, "KEEP_BYTES", 10)
    unacked = UnackedBuffer()
    for n in range(5):
        unacked.add(n, b"12345", is_message=n != 1)
    assert unacked.forgotten == 2
    assert unacked.in_order() == [b"12345"] * 2
    unacked.accepted(1)
    assert unacked.forgotten == 2
    unacked.accepted(3)
    assert unacked.forgotten == 0


def test_giving_up_tells_those_who_wait_and_counts_the_rest():
    unacked = UnackedBuffer()
    unacked.add(1, b"message", True)
    unacked.add(2, b"something else", False)
    waits, gave_up = ask(unacked, 3), ask(unacked, 4)
    gave_up.future.cancel()
    assert unacked.give_up(ConnectionError("gone")) == 1
    with pytest.raises(ConnectionError):
        waits.future.result(0)
    assert unacked.in_order() == []
    assert unacked.give_up(ConnectionError("gone")) == 0
