"""What a receiver knows of each sender on a topic."""

from __future__ import annotations

import pytest

from channels.layers.redis.wire import gaps
from channels.layers.redis.wire.gaps import GapDetector, Incoming
from channels.layers.redis.wire.sequencing import AGE, MARK, MESSAGE, Envelope


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def sealed(number, sender=b"sender-1", kind=MESSAGE):
    return Envelope(kind, sender, number, "", b"")


def aged(number, age, sender=b"sender-1"):
    return Envelope(MARK, sender, number, "", AGE.pack(age))


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


def test_a_watch_forgets_the_sender_that_was_silent_for_longest(monkeypatch):
    monkeypatch.setattr(gaps, "MAX_SENDERS", 2)
    watch = GapDetector()
    for number, sender in enumerate([b"a", b"b", b"a", b"c"], 1):
        watch.missing(sealed(number, sender))
    assert list(watch._latest) == [b"a", b"c"]


def incoming(latest=0, *, held=(), reached=0, known=True):
    one = Incoming(latest)
    for number in held:
        one.note(sealed(number), 0.0, known)
    if reached:
        one.note(sealed(reached, kind=MARK), 0.0, known)
    return one


def found(*numbers):
    return {number: sealed(number) for number in numbers}


def numbers(result):
    return [envelope.number for envelope in result.ready]


def test_what_comes_behind_a_gap_is_held_until_the_gap_is_filled():
    one = incoming(2, held=(5, 6, 8))
    assert one.missing == (3, 4)
    assert numbers(one.go_on(0.0)) == []
    result = one.fill((3, 4), found(3, 4), [], 1.0)
    assert (numbers(result), result.lost, result.repaired) == ([3, 4, 5, 6], 0, 2)
    assert (one.latest, one.missing) == (6, (7, 7))
    one.note(sealed(7), 2.0, True)  # it came by itself
    assert numbers(one.go_on(2.0)) == [7, 8]
    assert one.gap is None


def test_an_answer_that_comes_twice_or_is_not_about_the_first_missing_number_changes_nothing():
    one = incoming(2, held=(5,))
    assert one.fill((4, 4), found(4), [], 1.0) == ([], 0, 0)
    assert numbers(one.fill((3, 4), found(3, 4), [], 1.0)) == [3, 4, 5]
    assert one.fill((3, 4), found(3, 4), [], 1.0) == ([], 0, 0)


def test_of_an_answer_in_parts_each_is_delivered_when_it_comes():
    one = incoming(0, reached=4)
    assert numbers(one.fill((1, 2), found(1, 2), [], 1.0)) == [1, 2]
    assert one.missing == (3, 4)
    assert numbers(one.fill((3, 4), found(3, 4), [], 1.0)) == [3, 4]
    assert one.gap is None


def test_what_is_gone_is_lost_but_for_what_is_here():
    one = incoming(1, held=(4, 9))
    result = one.fill((2, 8), found(8), [(2, 7)], 1.0)
    assert (numbers(result), result.lost) == ([4, 8, 9], 5)


def test_what_an_answer_does_not_speak_of_was_not_accepted_or_not_meant_for_here():
    one = incoming(1, held=(4,))
    result = one.fill((2, 3), found(), [], 1.0)
    assert (numbers(result), result.lost) == ([4], 0)


@pytest.mark.parametrize(("known", "lost"), [(True, 5), (False, 3)])
def test_given_up_what_is_held_is_delivered_and_the_rest_is_lost(known, lost):
    """Of a sender that is heard of for the first time nobody knows which of the first were meant for here."""
    one = incoming(0, held=(3, 5), reached=7, known=known)
    result = one.give_up()
    assert (numbers(result), result.lost) == ([3, 5], lost)
    assert (one.latest, one.gap) == (7, None)
    assert one.give_up() == ([], 0, 0)


def test_the_bytes_that_wait_are_known():
    one = Incoming(0)
    one.note(Envelope(MESSAGE, b"sender-1", 2, "", b"x" * 100), 0.0, True)
    one.note(Envelope(MESSAGE, b"sender-1", 2, "", b"x" * 100), 0.0, True)
    one.note(sealed(4, kind=MARK), 0.0, True)
    assert one.gap is not None
    assert 100 < one.gap.size < 200
    one.fill((1, 1), {}, [], 0.0)
    assert one.gap is not None
    assert one.gap.size == 0


def test_a_sender_of_whom_something_is_missing_is_not_forgotten(monkeypatch):
    monkeypatch.setattr(gaps, "MAX_SENDERS", 2)
    watch = GapDetector()
    watch.meet(b"a", 0).note(sealed(2, b"a"), 0.0, True)
    watch.meet(b"b", 0)
    watch.meet(b"c", 0)
    assert list(watch.incoming) == [b"a", b"c"]
    assert watch.in_order(sealed(1, b"c"))
    assert not watch.in_order(sealed(1, b"a"))
    assert not watch.in_order(sealed(2, b"c", kind=MARK))
