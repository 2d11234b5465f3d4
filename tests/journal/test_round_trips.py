"""What a publication costs on PostgreSQL: one round trip in its transaction, and one of the relay's."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from channels import telemetry
from channels.journal import relay
from channels.journal.models import Pending
from channels.journal.store import DatabaseStore
from channels.journal.tables import direct, function
from channels.testing.store_contract.tools import Recorder, offsets, values
from channels.topics import history
from channels.topics.stores.host import HostStore
from channels.topics.stores.manager import set_store
from channels.topics.stores.memory import MemoryStore
from channels.wakeups import wake
from tests.journal.topics import Kept, Short, Unkept
from tests.support.databases.counting import RoundTrips, counted
from tests.support.redis_servers import wait_until

AMOUNT = 20
_writer: Final = ThreadPoolExecutor(1)
#: What a transaction costs that does nothing but select.
EMPTY = 3


@pytest.fixture
def trips(postgresql, monkeypatch) -> Iterator[RoundTrips]:
    monkeypatch.setattr(relay, "POLL", 3600.0)  # the first look only
    with counted(postgresql) as (database, trips), database.as_default():
        connection.settings_dict["CONN_MAX_AGE"] = None
        call_command("migrate", "channels_journal", verbosity=0)
        yield trips


@pytest.fixture(params=[False, True], ids=["memory", "host"])
async def store(request, trips) -> AsyncIterator[DatabaseStore]:
    folder = tempfile.mkdtemp(prefix="trips")
    store = DatabaseStore(carrier=HostStore(path=folder) if request.param else MemoryStore())
    set_store("database", store)
    yield store
    await store.aclose()
    set_store("database", None)
    shutil.rmtree(folder, ignore_errors=True)


async def subscribed(store: DatabaseStore, *topics: object) -> Recorder:
    """A receiver, when its relay has nothing more to do."""
    recorder = Recorder()
    for topic in topics:
        await store.read(str(topic))  # there is a stream
        await store.subscribe(str(topic), recorder)
    await asyncio.to_thread(wait_until, lambda: store._relay._next_sweep, "the relay has polled once")
    return recorder


def commit(*publications: tuple[Any, Any]) -> None:
    with transaction.atomic():
        for topic, data in publications:
            topic.publish(data)


def select() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def write(work: Any, *values: Any) -> Any:
    """Do work in the one thread whose connection is known to be open."""
    return await asyncio.get_running_loop().run_in_executor(_writer, work, *values)


async def alone(recorder: Recorder, room: Any, trips: RoundTrips) -> int:
    """Publish so that each publication is delivered before the next; returns the round trips."""
    known = len(recorder.of(str(room)))
    before = trips.amount
    for number in range(AMOUNT):
        await write(commit, (room, number))
        await recorder.take(str(room), known + number + 1)
    return trips.amount - before


async def test_a_lone_publication_adds_one_round_trip_and_the_relay_makes_one(store, trips):
    room = Kept(name="alone")
    recorder = await subscribed(store, room)
    await alone(recorder, room, trips)  # connections, and the statement that is prepared
    # One look more, of a relay that is woken a moment too late, is none of each publication.
    assert AMOUNT * (EMPTY + 1) <= await alone(recorder, room, trips) <= AMOUNT * (EMPTY + 1) + AMOUNT // 5
    assert offsets(recorder.of(str(room))) == list(range(1, 2 * AMOUNT + 1))


async def test_a_transaction_that_selects_is_what_it_is_compared_with(trips):
    await write(select)
    before = trips.amount
    await write(select)
    assert trips.amount - before == EMPTY


async def test_what_others_have_written_is_read_and_numbered(store, trips):
    """A process without a relay has written; who is woken reads, numbers, and looks whether that is all."""
    room = Kept(name="others")
    recorder = await subscribed(store, room)
    await alone(recorder, room, trips)

    def work() -> None:
        end = store._relay._end_offers
        end()
        commit((room, "theirs"))
        before.append(trips.amount)
        wake(relay.PENDING_NAME, "default", nearest=True)

    before: list[int] = []
    await write(work)
    assert values(await recorder.take(str(room), AMOUNT + 1))[-1] == "theirs"
    assert trips.amount - before[0] <= 2 + 1


async def test_commits_that_nobody_here_awaits_are_numbered_together(store, trips, monkeypatch):
    """The relay would take the time that commits need."""
    monkeypatch.setattr(relay, "REST", (1.0, 1.0))
    room, other = Kept(name="awaited"), Kept(name="unawaited")
    await subscribed(store, room)
    await store.read(str(other))
    called = []
    call = function._call
    monkeypatch.setattr(function, "_call", lambda *values: called.append(1) or call(*values))
    for number in range(AMOUNT):
        await write(commit, (other, number))
    await asyncio.to_thread(wait_until, lambda: not Pending.objects.exists(), "all are numbered")
    assert len(called) < AMOUNT / 2
    assert (await store.read(str(other))).position.offset == AMOUNT


async def test_several_topics_kept_or_not_leave_in_one_call_in_order(store, trips, monkeypatch):
    rooms = [Kept(name="a"), Kept(name="b"), Unkept(name="c")]
    recorder = await subscribed(store, *rooms)
    called = []
    call = function._call
    monkeypatch.setattr(function, "_call", lambda *values: called.append(1) or call(*values))
    published = [(rooms[number % 3], number) for number in range(30)]
    await asyncio.to_thread(commit, *published)
    for index, room in enumerate(rooms):
        found = await recorder.take(str(room), 10)
        assert values(found) == [number for number in range(30) if number % 3 == index]
        assert offsets(found) == ([0] * 10 if index == 2 else list(range(1, 11)))
    assert called == [1]
    entries = await asyncio.to_thread(lambda: [each.data for each in history(rooms[1]).entries])
    assert entries == [number for number in range(30) if number % 3 == 1]


async def test_what_is_too_much_is_removed(store, trips, monkeypatch):
    monkeypatch.setattr("channels.journal.tables.streams.SLACK", 10)
    monkeypatch.setattr(function, "SLACK", 10)
    from channels.journal.models import Publication

    room = Short(name="x")
    recorder = await subscribed(store, room)
    await alone(recorder, room, trips)
    await alone(recorder, room, trips)
    assert await asyncio.to_thread(Publication.objects.count) < 5 + 10
    page = await store.read(str(room))
    assert [each.offset for each in page.publications] == list(range(2 * AMOUNT - 4, 2 * AMOUNT + 1))


async def test_what_was_rolled_back_to_a_savepoint_is_not_offered(store, trips):
    room = Kept(name="savepoint")
    recorder = await subscribed(store, room)

    def work() -> None:
        with transaction.atomic():
            room.publish("kept")
            inner = transaction.savepoint()
            room.publish("never")
            transaction.savepoint_rollback(inner)
            room.publish("kept, too")

    await asyncio.to_thread(work)
    assert values(await recorder.take(str(room), 2)) == ["kept", "kept, too"]
    assert await asyncio.to_thread(Pending.objects.count) == 0


async def test_more_than_is_offered_is_read(store, trips, monkeypatch):
    monkeypatch.setattr("channels.journal.offers.ROWS", 5)
    room = Kept(name="many")
    recorder = await subscribed(store, room)
    await asyncio.to_thread(commit, *((room, number) for number in range(12)))
    assert values(await recorder.take(str(room), 12)) == list(range(12))


async def test_without_the_function_it_takes_more_round_trips_and_says_so(store, trips, caplog, monkeypatch):
    monkeypatch.setattr(function, "_without", set())
    await asyncio.to_thread(call_command, "migrate", "channels_journal", "0001", verbosity=0)
    room = Kept(name="older")
    recorder = await subscribed(store, room)
    await alone(recorder, room, trips)
    assert offsets(recorder.of(str(room))) == list(range(1, AMOUNT + 1))
    assert caplog.text.count("manage.py migrate channels_journal") == 1


async def test_a_pooler_that_loses_prepared_statements_costs_one_error(store, trips, monkeypatch):
    """As PgBouncer does that passes transactions to any connection: the statement is unknown there."""
    room = Kept(name="pooled")
    recorder = await subscribed(store, room)
    await alone(recorder, room, trips)
    (driver,) = [each for each, known in direct._prepared.items() if known and not each.closed][-1:]
    await asyncio.to_thread(driver.execute, "DEALLOCATE ALL")
    failed = telemetry.counters["journal.relay_failed"]
    await alone(recorder, room, trips)
    assert offsets(recorder.of(str(room))) == list(range(1, 2 * AMOUNT + 1))
    assert direct._prepared[driver] is False
    assert telemetry.counters["journal.relay_failed"] == failed
