"""Publishing in the transaction of the user, on each database."""

from __future__ import annotations

import asyncio
import functools
import random
import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.transaction import TransactionManagementError

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.journal.models import Pending, Publication, Stream
from channels.journal.store import DatabaseStore
from channels.testing.store_contract.tools import Recorder, in_threads, offsets, values
from channels.topics import InvalidData, history
from channels.topics.stores.memory import MemoryStore
from tests.journal.topics import Kept, Short, Unkept

WRITERS, EACH = 16, 4


async def in_thread(work: Any, *values: Any) -> Any:
    return await asyncio.to_thread(work, *values)


def publish(*publications: tuple[Any, Any], roll_back: bool = False) -> None:
    with transaction.atomic():
        for topic, data in publications:
            assert topic.publish(data) is None
        transaction.set_rollback(roll_back)


async def test_a_commit_is_on_its_way_and_a_rollback_never_was(store, listen):
    room, other, loose = Kept(name="a"), Kept(name="b"), Unkept(name="c")
    recorder = await listen(room, other, loose)
    await in_thread(publish, (room, "first"), (other, "beside"), (room, "second"), (loose, "loose"))
    assert values(await recorder.take(str(room), 2)) == ["first", "second"]
    assert values(await recorder.take(str(other), 1)) == ["beside"]
    assert values(await recorder.take(str(loose), 1)) == ["loose"]
    await in_thread(lambda: publish((room, "never"), (loose, "never"), roll_back=True))
    await in_thread(publish, (room, "third"), (loose, "last"))
    assert values(await recorder.take(str(room), 3)) == ["first", "second", "third"]
    assert offsets(recorder.of(str(room))) == [1, 2, 3]
    assert values(await recorder.take(str(loose), 2)) == ["loose", "last"]
    assert offsets(recorder.of(str(loose))) == [0, 0]
    assert await in_thread(lambda: [entry.data for entry in history(room).entries]) == values(
        recorder.of(str(room))
    )
    assert await in_thread(Pending.objects.count) == 0


async def test_the_log_of_deliveries_tells_what_was_committed_from_what_was_not(store, listen):
    """Both wait for the commit there, and one goes on."""
    delivery_log.keep(100)
    try:
        room = Kept(name="told")
        recorder = await listen(room)
        await in_thread(functools.partial(publish, (room, "gone"), roll_back=True))
        await in_thread(publish, (room, "kept"))
        await recorder.take(str(room), 1)
        noted = sorted(delivery_log.entries(str(room), 100))
    finally:
        delivery_log.keep(0)
    gone, kept, published = noted[:3]
    assert [each.stage for each in (gone, kept, published)] == ["waits for the commit"] * 2 + ["published"]
    assert (published.detail, published.key) == ("offset 1", kept.key)
    assert gone.key not in [each.key for each in noted[1:]]


def publish_and_fail(room: Kept) -> None:
    with transaction.atomic():
        room.publish("gone with its savepoint")
        raise ZeroDivisionError


def with_savepoints(room: Kept) -> None:
    with transaction.atomic():
        room.publish("kept")
        with pytest.raises(ZeroDivisionError):
            publish_and_fail(room)
        with transaction.atomic():
            room.publish("kept, too")
        with pytest.raises(InvalidData, match=r"object.*`\$\.deep\[1\]\.down`"):
            room.publish({"deep": [1, {"down": object()}]})


async def test_savepoints_and_bad_payloads_take_nothing_else_along(store, listen):
    room = Kept(name="savepoints")
    recorder = await listen(room)
    await in_thread(with_savepoints, room)
    assert values(await recorder.take(str(room), 2)) == ["kept", "kept, too"]


async def test_what_was_committed_can_be_read_at_once(store):
    """Nobody relays in this process: reading numbers what is pending, and publishing at once follows it."""
    room = Kept(name="read")

    def work() -> list[Any]:
        publish((room, 1), (room, 2))
        assert Pending.objects.count() == 2
        found = [[(entry.offset, entry.data) for entry in history(room).entries]]
        publish((room, 3))
        published = room.publish(4)
        assert published is not None
        assert published.position.offset == 4
        with transaction.atomic():
            room.publish(5)
            assert [entry.data for entry in history(room).entries] == [1, 2, 3, 4]
        found.append([entry.data for entry in history(room).entries])
        return found

    assert await in_thread(work) == [[(1, 1), (2, 2)], [1, 2, 3, 4, 5]]


async def test_at_once_within_a_transaction_is_refused_and_harms_nothing(store):
    room = Kept(name="now")

    def work() -> list[Any]:
        with transaction.atomic():
            room.publish("before")
            with pytest.raises(TransactionManagementError, match="Leave out now=True"):
                room.publish("now", now=True)
            room.publish("after")
        return [entry.data for entry in history(room).entries]

    assert await in_thread(work) == ["before", "after"]


async def test_nothing_is_locked_while_a_transaction_is_open(store, tables, listen):
    """On databases that have several writers: one that publishes last may commit first."""
    if tables.vendor == "sqlite":
        pytest.skip("SQLite has one writer")
    room = Kept(name="unlocked")
    recorder = await listen(room)
    written, received = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            room.publish("first written")
            written.set()
            assert received.wait(30)
        connection.close()

    def quick() -> None:
        assert written.wait(30)
        publish((room, "first committed"))
        connection.close()

    working = asyncio.gather(in_threads([slow, quick]))
    await recorder.take(str(room), 1)
    received.set()
    await working
    assert values(await recorder.take(str(room), 2)) == ["first committed", "first written"]
    assert offsets(recorder.of(str(room))) == [1, 2]


def write(room: Kept, other: Kept, who: int) -> None:
    chance = random.Random(who)
    for number in range(EACH):
        publish(*chance.choice([((room, [who, number]), (other, [who, number])), ((room, [who, number]),)]))
        publish((other, "never"), (room, "never"), roll_back=True)
        room.publish([who, number, "at once"])
    connections.close_all()


def places(topic: Kept) -> list[int]:
    stream = Stream.objects.get(topic=str(topic))
    return list(Publication.objects.filter(stream=stream).values_list("place", flat=True))


async def test_offsets_have_no_gap_under_sixteen_writers_and_two_relays(store, listen):
    """Writers commit, roll back and publish at once; each receiver gets everything, once and in order."""
    room, other = Kept(name="many"), Kept(name="others")
    second = DatabaseStore(carrier=MemoryStore())
    recorder = await listen(room, other)
    elsewhere = Recorder()
    await second.subscribe(str(room), elsewhere)
    await in_threads([functools.partial(write, room, other, who) for who in range(WRITERS)])
    amount = 2 * WRITERS * EACH
    for found in (recorder, elsewhere):
        received = await found.take(str(room), amount)
        assert offsets(received) == list(range(1, amount + 1))
        for who in range(WRITERS):
            committed = [each[1] for each in values(received) if each[0] == who and len(each) == 2]
            assert committed == [*range(EACH)], "Each writer's commits keep their order."
    kept = await in_thread(places, room)
    assert sorted(kept) == list(range(1, amount + 1))
    await recorder.until(lambda: len(recorder.of(str(other))))
    assert await in_thread(Pending.objects.count) == 0
    await second.aclose()


async def test_relays_trim_by_size_and_readers_see_no_more(store, monkeypatch):
    room = Short(name="x")
    monkeypatch.setattr("channels.journal.tables.streams.SLACK", 10)

    def work() -> tuple[int, list[int]]:
        for number in range(40):
            publish((room, number))
            room.publish("at once")
        return Publication.objects.count(), [entry.offset for entry in history(room).entries]

    before = telemetry.counters["journal.undecodable"]
    rows, found = await in_thread(work)
    assert rows < 5 + 10
    assert found == [76, 77, 78, 79, 80]
    assert telemetry.counters["journal.undecodable"] == before
