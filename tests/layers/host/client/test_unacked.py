from __future__ import annotations

import pytest

from channels.layers.host.client import unacked as module
from channels.layers.host.client.unacked import Request, UnackedBuffer


def ask(pending, number):
    request = Request()
    request.number = number
    pending.ask(request, b"request %d" % number)
    return request


def test_frames_are_kept_in_order_until_they_are_answered():
    pending = UnackedBuffer()
    pending.add(1, b"one", True)
    second = ask(pending, 2)
    pending.add(3, b"three", False)
    assert pending.in_order() == [b"one", b"request 2", b"three"]
    pending.accepted(1)
    assert pending.answered(2) is second
    assert pending.answered(2) is None
    assert pending.in_order() == [b"three"]
    pending.accepted(3)
    assert pending.in_order() == []


def test_a_request_nobody_waits_for_is_not_told_again_and_has_no_answer():
    pending = UnackedBuffer()
    ask(pending, 1).future.cancel()
    ask(pending, 2).future.cancel()
    assert pending.answered(1) is None
    assert pending.in_order() == []


def test_too_much_is_forgotten_and_counted_until_it_is_accepted(monkeypatch):
    monkeypatch.setattr(module, "KEEP_BYTES", 10)
    pending = UnackedBuffer()
    for n in range(5):
        pending.add(n, b"12345", is_message=n != 1)
    assert pending.forgotten == 2
    assert pending.in_order() == [b"12345"] * 2
    pending.accepted(1)
    assert pending.forgotten == 2
    pending.accepted(3)
    assert pending.forgotten == 0


def test_giving_up_tells_those_who_wait_and_counts_the_rest():
    pending = UnackedBuffer()
    pending.add(1, b"message", True)
    pending.add(2, b"something else", False)
    waits, gave_up = ask(pending, 3), ask(pending, 4)
    gave_up.future.cancel()
    assert pending.give_up(ConnectionError("gone")) == 1
    with pytest.raises(ConnectionError):
        waits.future.result(0)
    assert pending.in_order() == []
    assert pending.give_up(ConnectionError("gone")) == 0
