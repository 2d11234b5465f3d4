"""The first publications of a new topic: each once, whichever way it comes first."""

from __future__ import annotations

import msgspec

from channels.mqtt.wildcards.young import MOST, Young
from channels.protocols.centrifuge.messages import Publication


def published(data: str, offset: int = 0, time: int = 1) -> Publication:
    return Publication(data=msgspec.Raw(data.encode()), offset=offset, epoch="e" if offset else "", time=time)


def taken(young: Young, read: list[Publication]) -> list[str]:
    return [bytes(each.data).decode() for each in young.take(read)]


def test_what_comes_with_the_name_is_left_out_when_it_comes_from_the_store() -> None:
    young = Young()
    for number in "12":
        young.wait(published(number), told=True)
    young.wait(published("2"), told=False)
    young.wait(published("3"), told=False)
    assert taken(young, []) == ["1", "2", "3"]
    assert not young.is_new(published("3"), told=True)
    assert young.is_new(published("4"), told=True)
    assert not young.is_new(published("4"), told=False)


def test_the_same_twice_in_a_millisecond_comes_twice() -> None:
    young = Young()
    assert [young.is_new(published("1"), told=way) for way in (False, False, True, True)] == [
        True,
        True,
        False,
        False,
    ]


def test_what_was_read_and_came_is_brought_once_and_in_its_order() -> None:
    young = Young()
    young.wait(published("3", 3), told=False)
    young.wait(published("4", 4), told=False)
    assert taken(young, [published("3", 3), published("2", 2), published("3", 3)]) == ["2", "3", "4"]
    assert taken(young, [published(str(number), number) for number in (1, 2, 3, 4)]) == ["1"]


def test_what_is_remembered_is_bounded() -> None:
    young = Young()
    for number in range(MOST + 5):
        young.wait(published("x", 0, number), told=False)
    assert len(taken(young, [])) == MOST
    assert not young.full
    assert young.is_new(published("y"), told=False)
    assert young.full
