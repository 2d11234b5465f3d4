from __future__ import annotations

from channels.layers.redis.subscriptions import offline_senders as senders_module
from channels.layers.redis.subscriptions.offline_senders import DetachedSenders
from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sequencing import SequenceNumbers

NAMES = KeySpace("asgi")
A, B = (NAMES.topic("group", name) for name in "ab")


def sent(*topics):
    numbers = SequenceNumbers()
    for topic in topics:
        numbers.settle(topic.key, numbers.next(topic.key))
    return numbers


def test_they_are_found_by_what_they_sent_on():
    senders = DetachedSenders()
    thread, loop, silent = SequenceNumbers(), sent(A, B), SequenceNumbers()
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
    senders = DetachedSenders()
    loops = [sent(A) for _ in range(3)]
    for loop in loops:
        senders.add_ended_loop(loop)
    assert [numbers for _, numbers in senders.on([A])] == loops[1:]
