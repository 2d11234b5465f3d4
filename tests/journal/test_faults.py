"""What goes wrong around the journal: nothing that was committed is lost, and the errors say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.signals import connection_created

from channels import telemetry
from channels.journal import relay
from channels.journal.checks import check_tables
from channels.journal.models import Pending, Relay, Stream
from channels.journal.store import DatabaseStore
from channels.testing.store_contract.tools import Recorder, append, offsets, values
from channels.topics import StoreUnavailable, history
from channels.topics.stores.base import Position, Retention
from channels.topics.stores.manager import set_store
from channels.topics.stores.memory import MemoryStore
from tests.journal.test_transactions import publish
from tests.journal.topics import Kept
from tests.support.databases import Database, PostgreSQL
from tests.support.redis_servers import wait_until

ROOM = Kept(name="faults")


_thread = ThreadPoolExecutor(1)


async def in_one_thread(work: Any, *values: Any, **options: Any) -> Any:
    """Always in the same: what a thread has opened, only that thread may close."""
    return await asyncio.get_running_loop().run_in_executor(
        _thread, functools.partial(work, *values, **options)
    )


def unavailable() -> int:
    return telemetry.counters["journal.unavailable"]


@contextlib.asynccontextmanager
async def relaying(**options: Any):
    """A store whose relay runs, and what it tells."""
    store, recorder = DatabaseStore(carrier=MemoryStore(), **options), Recorder()
    set_store("database", store)
    await store.subscribe(str(ROOM), recorder)
    yield recorder
    await store.aclose()
    set_store("database", None)


async def test_without_its_tables_it_says_which_command_makes_them(database: Database):
    with database.as_default():
        assert [each.id for each in await in_one_thread(check_tables, None, ["default"])] == [
            "channels_journal.W001"
        ]
        for work in (lambda: publish((ROOM, 1)), lambda: ROOM.publish(1), lambda: history(ROOM)):
            with pytest.raises(StoreUnavailable, match=r"run `manage.py migrate channels_journal`"):
                await in_one_thread(work)
        store, recorder = DatabaseStore(carrier=MemoryStore()), Recorder()
        before = unavailable()
        store.attach(recorder)
        await in_one_thread(wait_until, lambda: unavailable() > before, "the relay waits for its tables")
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
        assert await in_one_thread(check_tables, None, ["default"]) == []
        await store.subscribe(str(ROOM), recorder)
        await in_one_thread(publish, (ROOM, "now it can"))
        assert values(await recorder.take(str(ROOM), 1)) == ["now it can"]
        await store.aclose()


async def test_a_database_that_is_away_takes_nothing_along():
    """It is killed with publications pending, and comes back."""
    with PostgreSQL() as server:
        database = server.database()
        with database.as_default():
            await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
            async with relaying() as recorder:
                await in_one_thread(publish, (ROOM, 1))
                await recorder.take(str(ROOM), 1)
                before = unavailable()
                server.kill()
                with pytest.raises(Exception, match=r"onnect|closed|terminat"):
                    await in_one_thread(publish, (ROOM, "not committed"))
                await in_one_thread(wait_until, lambda: unavailable() > before, "the relay has noticed")
                await in_one_thread(lambda: connection.close())
                server.start()
                await in_one_thread(publish, (ROOM, 2))
                assert values(await recorder.take(str(ROOM), 2)) == [1, 2]


async def test_sqlite_that_somebody_else_has_locked(sqlite: Database):
    """Who publishes is told after the time-out of the settings; what is pending leaves when it is free."""
    sqlite.settings["OPTIONS"]["timeout"] = 0.1
    with sqlite.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
        async with relaying() as recorder:
            await in_one_thread(publish, (ROOM, 1))
            await recorder.take(str(ROOM), 1)
            other = sqlite3.connect(sqlite.settings["NAME"], isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                await in_one_thread(ROOM.publish, "not kept")
            columns = "channels_journal_pending (digest, record)"
            other.execute(f"INSERT INTO {columns} SELECT digest, x'' FROM channels_journal_stream")
            other.execute("COMMIT")
            other.close()
            await in_one_thread(publish, (ROOM, 2))
            assert values(await recorder.take(str(ROOM), 2)) == [1, 2]
            assert await in_one_thread(Pending.objects.count) == 0


class Disk:
    """How many pages SQLite's files may have."""

    def __init__(self) -> None:
        self.pages = 0

    def connected(self, connection: Any, **_: Any) -> None:
        if self.pages:
            connection.cursor().execute(f"PRAGMA max_page_count = {self.pages}")


async def test_a_full_disk_ends_transactions_and_loses_nothing(sqlite: Database):
    disk = Disk()
    connection_created.connect(disk.connected)
    with sqlite.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)

        def fill() -> int:
            """Publish until the disk is full; returns how much was committed."""
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA page_count")
                disk.pages = cursor.fetchone()[0] + 3
            connection.close()
            for number in range(1000):
                try:
                    publish((ROOM, [number, "x" * 3000]))
                except StoreUnavailable as error:
                    connection.close()
                    return number if "full" in str(error) else 0
            raise AssertionError("It was never full.")

        committed = await in_one_thread(fill)
        assert committed
        async with relaying() as recorder:
            disk.pages = 1_000_000
            received = await recorder.take(str(ROOM), committed)
            assert [value[0] for value in values(received)] == [*range(committed)]
    connection_created.disconnect(disk.connected)


async def test_a_clock_that_jumps_leaves_offsets_alone(sqlite: Database):
    """By an hour to and fro: what is too old then is gone, and nothing is told twice."""
    now = [1_764_000_000.0]
    with sqlite.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
        async with relaying(clock=lambda: now[0]) as recorder:
            for jump, kept in ((0, [1]), (-3600, [1, 2]), (7200, [3]), (-3600, [3, 4])):
                now[0] += jump
                published = await in_one_thread(ROOM.publish, len(recorder.of(str(ROOM))))
                await recorder.take(str(ROOM), published.position.offset)
                page = await in_one_thread(history, ROOM)
                assert [entry.offset for entry in page.entries] == kept
            assert offsets(recorder.of(str(ROOM))) == [1, 2, 3, 4]


async def test_a_note_from_the_future_is_told_again(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    """A relay whose clock was wrong has died; another looks after what it had on its way."""
    from channels.journal.tables import notes

    monkeypatch.setattr(relay, "POLL", 0.1)

    class Spanning(MemoryStore):
        spans_processes = True

    with sqlite.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)

        def leave_a_note() -> None:
            silent = DatabaseStore(carrier=MemoryStore())
            silent.sync.publish(append(str(ROOM), "numbered, and told to nobody"))
            notes.make_row("default", "dead", 2**45)
            notes.replace("default", "dead", notes.encode_note([str(ROOM)]), 2**45)

        store, recorder = DatabaseStore(carrier=Spanning()), Recorder()
        await store.subscribe(str(ROOM), recorder)
        await in_one_thread(leave_a_note)
        assert values(await recorder.take(str(ROOM), 1)) == ["numbered, and told to nobody"]
        await in_one_thread(
            wait_until, lambda: not Relay.objects.filter(owner="dead").exists(), "the note is removed"
        )
        await store.aclose()


async def test_what_is_due_is_removed_in_pieces(database: Database, monkeypatch: pytest.MonkeyPatch):
    from channels.journal.models import IdempotencyKey, Publication
    from channels.journal.tables import sweeping

    monkeypatch.setattr(sweeping, "PIECE", 3)
    now = [1_764_000_000.0]
    short, long = Retention(size=100, ttl=60, position_ttl=90), Retention(size=100, ttl=6000)
    with database.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
        store = DatabaseStore(carrier=MemoryStore(), clock=lambda: now[0])

        def work() -> tuple[int, int, int, int]:
            for number in range(10):
                store.sync.publish(append("short", number, short, idempotency_key=str(number)))
            store.sync.publish(append("long", 1, long))
            now[0] += 400
            at = round(1000 * now[0])
            swept = sweeping.sweep("default", at), sweeping.sweep_streams("default", at)
            return *swept, Publication.objects.count(), IdempotencyKey.objects.count()

        assert await in_one_thread(work) == (20, 1, 1, 0)
        assert (await store.read("long")).position.offset == 1
        assert (await store.read("short", Position(0, ""))).publications == []
        await store.aclose()


async def test_relays_remove_what_is_due(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    """Streams, too, when their time is over."""
    now = [1_764_000_000.0]
    with sqlite.as_default():
        await in_one_thread(call_command, "migrate", "channels_journal", verbosity=0)
        kept = append("ended", 1, Retention(size=1, ttl=60, position_ttl=90))
        await in_one_thread(DatabaseStore(carrier=MemoryStore(), clock=lambda: now[0]).sync.publish, kept)
        assert await in_one_thread(Stream.objects.filter(topic="ended").count) == 1
        now[0] += 1000
        async with relaying(clock=lambda: now[0]):
            await in_one_thread(
                wait_until, lambda: not Stream.objects.filter(topic="ended").exists(), "the stream is removed"
            )


def test_an_error_within_the_transaction_ends_it(sqlite: Database):
    """As that of a model's save(): what follows in the block says so, and nothing of it is kept."""
    with sqlite.as_default():
        call_command("migrate", "channels_journal", verbosity=0)
        ROOM.publish("before")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE channels_journal_pending RENAME TO elsewhere")
        with transaction.atomic():
            with pytest.raises(StoreUnavailable):
                ROOM.publish("cannot be written")
            with pytest.raises(transaction.TransactionManagementError):
                connection.cursor().execute("SELECT 1")


MANAGE = """
import sys, django
from django.conf import settings
from django.core.management import execute_from_command_line
store = {"BACKEND": "channels.journal.DatabaseStore"}
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv.pop()}},
    INSTALLED_APPS=["channels", "channels.topics", "channels.journal"],
    CHANNELS_TOPICS={"STORES": {"kept": store}},
)
execute_from_command_line(sys.argv)
"""


def test_the_migration_that_makes_the_tables_does_not_warn_that_they_are_missing(tmp_path) -> None:
    def manage(*words: str) -> str:
        command = [sys.executable, "-c", MANAGE, *words, str(tmp_path / "fresh.sqlite3")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout + done.stderr

    assert "channels_journal.W001" in manage("check", "--database", "default")
    migrated = manage("migrate")
    assert "Applying channels_journal.0001_initial... OK" in migrated
    assert "channels_journal.W001" not in migrated
    assert "channels_journal.W001" not in manage("check", "--database", "default")
