from __future__ import annotations

import threading

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
    loop, silent = sent(A, B), SequenceNumbers()
    thread = senders.thread_numbers()
    senders.add_ended_loop(loop)
    senders.add_ended_loop(silent)
    assert list(senders.on([A])) == [(A, loop)]
    thread.next(A.key)
    assert list(senders.on([A])) == [(A, thread), (A, loop)]
    assert list(senders.on([])) == []
    assert len(senders._ended_loops) == 1
    assert senders.of(loop.sender) is loop
    assert senders.of(thread.sender) is thread
    assert senders.of(b"somebody") is None


def test_who_begins_goes_on_with_the_numbers_of_one_that_has_ended():
    senders = DetachedSenders()
    loop, busy = sent(A), sent(B)
    busy.next(B.key)
    for numbers in (busy, loop):
        senders.add_ended_loop(numbers)
    assert senders.numbers() is loop
    assert senders.numbers() not in (loop, busy)


def test_a_thread_goes_on_with_the_numbers_of_one_that_has_ended():
    senders = DetachedSenders()
    found = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(senders.thread_numbers()))
        thread.start()
        thread.join()
    assert found[0] is found[1]
    assert senders.thread_numbers() is found[0]
    assert senders.thread_numbers() is not found[0]


def test_of_too_many_the_first_are_forgotten(monkeypatch):
    monkeypatch.setattr(senders_module, "MAX_SENDERS", 2)
    senders = DetachedSenders()
    loops = [sent(A) for _ in range(3)]
    for loop in loops:
        senders.add_ended_loop(loop)
    assert [numbers for _, numbers in senders.on([A])] == loops[1:]
