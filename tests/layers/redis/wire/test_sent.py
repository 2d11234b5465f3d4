"""What is kept of what was published, and for how long."""

from __future__ import annotations

from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sent import OVERHEAD, SentMessages

NAMES = KeySpace("asgi")
A, B = (NAMES.topic("group", name) for name in "ab")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def numbers(sent, sender, topic):
    return [each.number for each in sent.find({(sender, topic.key): None}).get((sender, topic.key), [])]


def test_they_are_found_by_sender_and_topic_in_order():
    sent = SentMessages(10, 10_000)
    for sender, topic, number in [(b"x", A, 2), (b"x", A, 1), (b"x", B, 1), (b"y", A, 1)]:
        sent.add(sender, topic, number, b"data")
    assert numbers(sent, b"x", A) == [1, 2]
    assert numbers(sent, b"y", A) == [1]
    assert numbers(sent, b"y", B) == []
    assert sent.topics() == {A, B}


def test_what_is_old_goes_also_if_nothing_more_is_sent():
    clock = Clock()
    sent = SentMessages(10, 10_000, clock)
    sent.add(b"x", A, 1, b"data")
    clock.now += 5
    sent.add(b"x", A, 2, None)
    clock.now += 6
    assert numbers(sent, b"x", A) == [2]
    clock.now += 20
    assert sent.topics() == set()
    assert (len(sent), sent.size) == (0, 0)


def test_it_never_holds_more_bytes_than_it_may():
    sent = SentMessages(10, 3 * (OVERHEAD + 100))
    for number in range(1, 8):
        sent.add(b"x", A, number, b"d" * 100)
        assert sent.size <= 3 * (OVERHEAD + 100)
    assert numbers(sent, b"x", A) == [5, 6, 7]
    sent.add(b"x", A, 8, b"d" * 1000)
    assert numbers(sent, b"x", A) == []


def test_without_a_window_nothing_is_kept():
    sent = SentMessages(0, 10_000)
    sent.add(b"x", A, 1, b"data")
    assert len(sent) == 0
