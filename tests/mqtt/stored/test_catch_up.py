"""Reading a history while publications come."""

from __future__ import annotations

from channels.mqtt.stored.catch_up import CatchUp
from channels.mqtt.stored.record import Mark
from channels.testing.store_contract.tools import publication
from channels.topics.stores.base import Position


def test_what_comes_while_the_history_is_read_is_read_too() -> None:
    reading = CatchUp()
    reading.begin()
    assert not reading.is_new(publication(1, offset=5, epoch="e"))
    assert not reading.has_all(Position(4, "e"))
    reading.begin()
    assert reading.has_all(Position(5, "e"))


def test_what_is_not_kept_is_handed_on_at_once() -> None:
    assert CatchUp().is_new(publication(1))


def test_what_was_read_and_comes_late_is_not_new() -> None:
    reading = CatchUp()
    reading.begin()
    assert reading.has_all(Position(5, "e"))
    assert not reading.is_new(publication(1, offset=5, epoch="e"))
    assert reading.is_new(publication(1, offset=6, epoch="e"))
    assert reading.is_new(publication(1, offset=1, epoch="f"))


def test_it_is_over_when_what_comes_has_reached_what_was_read() -> None:
    reading = CatchUp()
    assert not reading.is_over(Mark(9, "e"))
    assert reading.has_all(Position(5, "e"))
    known = [None, Mark(4, "e"), Mark(5, "e"), Mark(1, "f")]
    assert [reading.is_over(mark) for mark in known] == [False, False, True, True]
