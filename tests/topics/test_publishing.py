"""Publishing and the transaction that is open."""

import subprocess
import sys

import pytest
from django.db import transaction

from channels.topics import (
    InvalidData,
    UnknownTopic,
    ahistory,
    apublish_batch,
    history,
    publish_batch,
    publish_many,
    remove_history,
)
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


def test_a_batch_is_looked_at_before_any_of_it_is_published():
    room = Room(name="batch-checked")
    with pytest.raises(InvalidData, match=r"\$\.text"):
        publish_batch([(room, "never"), (Typed(number=1), {"text": 1})], now=True)
    assert stored(room) == []


def test_a_batch_returns_places_in_the_order_of_the_caller():
    first, second = Room(name="batch-1"), Room(name="batch-2")
    published = publish_batch([(first, "a"), ("room:batch-2", "b"), (first, "c"), (second, "d")], now=True)
    assert [each.position.offset for each in published] == [1, 1, 2, 2]
    assert (stored(first), stored(second)) == (["a", "c"], ["b", "d"])
    assert publish_batch([]) == []


@pytest.mark.django_db(transaction=True)
def test_a_batch_waits_for_the_commit():
    room = Room(name="batch-commit")
    with transaction.atomic():
        assert publish_batch([(room, "first"), (room, "second")]) == [None, None]
        assert stored(room) == []
    assert stored(room) == ["first", "second"]


async def test_async_code_publishes_a_batch_at_once():
    room = Room(name="batch-async")
    published = await apublish_batch([(room, "a"), (room, "b")])
    assert [each.position.offset for each in published] == [1, 2]
    assert [entry.data for entry in (await ahistory(room)).entries] == ["a", "b"]


PROCESS = """
import asyncio, threading, django
from django.conf import settings

settings.configure(INSTALLED_APPS=["channels", "channels.topics"], CHANNEL_LAYERS={layers})
django.setup()
from channels.topics import Topic


class News(Topic):
    pattern = "news"


async def as_in_a_view():
    await asyncio.to_thread(News().publish, 1)
    News().publish(1)


asyncio.run(as_in_a_view())
print("a server does this", flush=True)
News().publish(1)
News().publish(2)
"""


def told_by_a_process(layers: object) -> list[str]:
    command = [sys.executable, "-c", PROCESS.replace("{layers}", repr(layers))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "a server does this\n"
    return done.stderr.splitlines()


def test_a_process_without_clients_is_told_once_that_memory_reaches_nobody(tmp_path):
    (line,) = told_by_a_process({})
    assert line.startswith("news was published in memory, and this process serves no client")
    host = {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": str(tmp_path / "layer")}}
    assert told_by_a_process({"default": host}) == []
