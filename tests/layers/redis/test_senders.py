from __future__ import annotations

from channels.layers.redis import senders as senders_module
from channels.layers.redis.envelope import Numbers
from channels.layers.redis.senders import Senders
from channels.layers.redis.topics import Names

NAMES = Names("asgi")
A, B = (NAMES.topic("group", name) for name in "ab")


def sent(*topics):
    numbers = Numbers()
    for topic in topics:
        numbers.settle(topic.key, numbers.next(topic.key))
    return numbers


def test_they_are_found_by_what_they_sent_on():
    senders = Senders()
    thread, loop, silent = Numbers(), sent(A, B), Numbers()
    senders.add_thread(thread)
    senders.add_ended_loop(loop)
    senders.add_ended_loop(silent)
    assert list(senders.on([A])) == [(A, loop)]
    thread.next(A.key)
    assert list(senders.on([A])) == [(A, thread), (A, loop)]
    assert list(senders.on([])) == []
    assert len(senders._ended_loops) == 1


def test_of_too_many_the_first_are_forgotten(monkeypatch):
    monkeypatch.setattr(senders_module, "MAX_SENDERS", 2)
    senders = Senders()
    loops = [sent(A) for _ in range(3)]
    for loop in loops:
        senders.add_ended_loop(loop)
    assert [numbers for _, numbers in senders.on([A])] == loops[1:]
