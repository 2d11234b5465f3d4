from __future__ import annotations

from channels.layers.redis.wire import sequencing as envelope
from channels.layers.redis.wire.sequencing import (
    MARK,
    MESSAGE,
    Envelope,
    GapDetector,
    SequenceNumbers,
    encode_envelope,
    unseal,
)


def sealed(number, sender=b"sender-1", kind=MESSAGE):
    return Envelope(kind, sender, number, "", b"")


def test_there_and_back():
    data = encode_envelope(MESSAGE, b"8 bytes!", 2**40, "specific.x!y", b"body")
    assert unseal(data) == Envelope(MESSAGE, b"8 bytes!", 2**40, "specific.x!y", b"body")


def test_what_is_none_of_ours():
    for data in (b"", b"1", b"\x99" * 40, encode_envelope(MESSAGE, b"8 bytes!", 1, "channel", b"")[:-1]):
        assert unseal(data) is None


def test_numbers_count_per_topic_and_begin_anew_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_TOPICS", 2)
    numbers = SequenceNumbers()
    sender = numbers.sender
    assert [numbers.next(topic) for topic in (b"a", b"a", b"b", b"a")] == [1, 2, 1, 3]
    assert numbers.settled(b"a") == 0
    numbers.settle(b"a", 1)
    numbers.settle(b"a", 3)
    assert numbers.settled(b"a") == 1
    numbers.settle(b"a", 2)
    assert (numbers.settled(b"a"), numbers.settled(b"c")) == (3, 0)
    assert numbers.next(b"c") == 1
    assert numbers.sender != sender
    assert numbers.settled(b"a") == 0
    numbers.settle(b"a", 3)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def aged(number, age, sender=b"sender-1"):
    return Envelope(MARK, sender, number, "", envelope.AGE.pack(age))


def test_a_watch_sees_what_is_missing_and_what_came_before():
    watch = GapDetector()
    assert watch.missing(sealed(5)) == 0  # whoever joins late has missed nothing
    assert watch.missing(sealed(6)) == 0
    assert watch.missing(sealed(9)) == 2
    assert watch.missing(sealed(9)) == -1
    assert watch.missing(sealed(1, b"sender-2")) == 0
    assert watch.missing(sealed(9, kind=MARK)) == 0
    assert watch.missing(sealed(12, kind=MARK)) == 3
    assert watch.missing(sealed(11, kind=MARK)) == 0
    assert watch.missing(sealed(13)) == 0


def test_of_a_sender_that_began_later_than_the_watch_everything_counts():
    clock = Clock()
    watch = GapDetector(clock)
    clock.now += 10
    assert watch.missing(sealed(4)) == 0
    assert watch.missing(aged(4, age=20)) == 0  # the three before were sent before the watch began
    assert watch.missing(aged(6, age=5)) == 2 + 3
    assert watch.missing(aged(6, age=5)) == 0
    assert watch.missing(aged(3, age=5, sender=b"sender-2")) == 3
    assert watch.missing(aged(3, age=20, sender=b"sender-3")) == 0
    assert watch.missing(sealed(4, sender=b"sender-3")) == 0


def test_a_mark_tells_what_was_reached_and_since_when():
    clock = Clock()
    numbers = SequenceNumbers(clock)
    numbers.settle(b"t", numbers.next(b"t"))
    numbers.next(b"t")
    clock.now += 2.5
    mark = numbers.mark(b"t")
    assert (mark.kind, mark.number, envelope.AGE.unpack(mark.body)) == (MARK, 1, (2.5,))


def test_a_watch_forgets_the_sender_that_was_silent_for_longest(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_SENDERS", 2)
    watch = GapDetector()
    for number, sender in enumerate([b"a", b"b", b"a", b"c"], 1):
        watch.missing(sealed(number, sender))
    assert list(watch._latest) == [b"a", b"c"]
