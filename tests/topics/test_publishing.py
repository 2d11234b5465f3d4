"""Publishing and the transaction that is open."""

import pytest
from django.db import transaction

from channels.topics import InvalidData, UnknownTopic, history, publish_many, remove_history
from tests.topics.topics_for_tests import Room, Typed


def stored(room: Room) -> list[object]:
    return [entry.data for entry in history(room).entries]


@pytest.mark.django_db(transaction=True)
def test_a_publication_waits_for_the_commit_and_keeps_its_order():
    room = Room(name="commit")
    with transaction.atomic():
        assert room.publish("first") is None
        with transaction.atomic():
            room.publish("second")
        assert stored(room) == []
        room.publish("now", now=True)
    assert stored(room) == ["now", "first", "second"]


def publish_and_fail(room: Room, data: object) -> None:
    with transaction.atomic():
        room.publish(data)
        raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
def test_nothing_is_published_when_the_transaction_is_rolled_back():
    room = Room(name="rollback")
    with pytest.raises(ZeroDivisionError):
        publish_and_fail(room, "never")
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError):
            publish_and_fail(room, "neither")
        room.publish("this")
    assert stored(room) == ["this"]


def test_data_are_checked_at_once():
    with pytest.raises(InvalidData, match=r"\$\.text"):
        Typed(number=1).publish({"text": 1})
    with pytest.raises(InvalidData, match="cannot be written as JSON"):
        Room(name="x").publish(object())


def test_history_is_read_and_removed():
    room = Room(name="history")
    publish_many([room, "room:other"], "both", now=True)
    room.publish("second", now=True)
    page = history(room, limit=1, reverse=True)
    assert [entry.data for entry in page.entries] == ["second"]
    assert page.entries[0].offset == page.position.offset == 2
    remove_history(room)
    assert history(room).entries == []
    assert history(room).position == page.position


def test_a_name_that_means_nothing_lists_the_patterns():
    with pytest.raises(UnknownTopic, match="room:<slug:name>"):
        publish_many(["nowhere"], 1)
