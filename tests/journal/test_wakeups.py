"""Relays are woken, whoever commits: here none of them polls within the hour."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.test import override_settings

from channels.journal import relay
from channels.journal.models import Relay
from channels.journal.tables import notes
from channels.journal.tables.statements import LOCK
from channels.testing.store_contract.tools import Recorder, values
from channels.topics.stores.manager import get_store, set_store
from channels.wakeups import notify
from tests.journal.test_transactions import publish
from tests.journal.topics import Kept
from tests.support.databases import Database
from tests.support.redis_servers import wait_until
from tests.support.served import environment

ROOM = Kept(name="woken")


def write(database: Database, folder: str, text: str) -> None:
    command = [sys.executable, "-m", "tests.journal.writing", folder, text]
    env = environment(**database.env)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def no_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL", 3600.0)


async def serve(database: Database) -> tuple[Any, Recorder]:
    store: Any
    await asyncio.to_thread(call_command, "migrate", "channels_journal", verbosity=0)
    set_store("database", None)
    recorder, store = Recorder(), cast(Any, get_store("database"))
    await store.subscribe(str(ROOM), recorder)
    await asyncio.to_thread(wait_until, lambda: store._relay._next_poll, "the relay has polled once")
    return store, recorder


async def test_commits_of_the_process_that_serves(no_polls: None, database: Database) -> None:
    with database.as_default():
        store, recorder = await serve(database)
        for number in range(1, 4):
            await asyncio.to_thread(publish, (ROOM, number))
            await recorder.take(str(ROOM), number)
        await store.aclose()


async def test_commits_of_another_process_by_the_host_layer(no_polls: None, sqlite: Database) -> None:
    folder = tempfile.mkdtemp(prefix="woken")
    host = {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": {"path": folder}}
    with sqlite.as_default(), override_settings(CHANNELS_TOPICS={"STORES": {"default": host}}):
        store, recorder = await serve(sqlite)
        await asyncio.to_thread(write, sqlite, folder, "by the host layer")
        assert values(await recorder.take(str(ROOM), 1)) == ["by the host layer"]
        await store.aclose()


async def test_what_is_larger_than_messages_of_the_layer_is_read_by_who_is_told_of_it(
    no_polls: None, sqlite: Database
) -> None:
    """It is alone or not, and is published in a transaction or by a call that carries it itself."""
    folder = tempfile.mkdtemp(prefix="large")
    host = {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": {"path": folder}}
    large = "l" * 1_200_000
    with sqlite.as_default(), override_settings(CHANNELS_TOPICS={"STORES": {"default": host}}):
        store, recorder = await serve(sqlite)
        await asyncio.to_thread(publish, (ROOM, large), (ROOM, "small"))
        assert values(await recorder.take(str(ROOM), 2)) == [large, "small"]
        await asyncio.to_thread(publish, (ROOM, large))
        assert values(await recorder.take(str(ROOM), 3))[2:] == [large]
        await asyncio.to_thread(ROOM.publish, large)
        assert values(await recorder.take(str(ROOM), 4))[3:] == [large]
        await store.aclose()


async def test_commits_of_another_process_by_postgresql_alone(no_polls: None, postgresql: Database) -> None:
    """No layer spans processes."""
    with postgresql.as_default():
        store, recorder = await serve(postgresql)
        listening = notify._threads.by_alias["default"].listening
        assert await asyncio.to_thread(listening.wait, 30)
        await asyncio.to_thread(write, postgresql, "", "by PostgreSQL")
        assert values(await recorder.take(str(ROOM), 1)) == ["by PostgreSQL"]
        await store.aclose()


async def test_without_any_way_the_slow_poll_finds_it(
    monkeypatch: pytest.MonkeyPatch, sqlite: Database
) -> None:
    monkeypatch.setattr(relay, "POLL", 0.1)
    with sqlite.as_default():
        store, recorder = await serve(sqlite)
        await asyncio.to_thread(write, sqlite, "", "by nothing")
        assert values(await recorder.take(str(ROOM), 1)) == ["by nothing"]
        await store.aclose()


async def test_control_messages_come_once(sqlite: Database) -> None:
    """A receiver hears them from the default store; the carrier beside it is the same, and no second way."""
    with sqlite.as_default():
        store, recorder = await serve(sqlite)
        get_store().attach(recorder)
        await get_store().broadcast(b"to all")
        await store.broadcast(b"last")
        await recorder.until(lambda: b"last" in recorder.controls)
        assert recorder.controls == [b"to all", b"last"]
        get_store().detach(recorder)
        await store.aclose()


def test_rows_of_relays_that_were_killed_go_and_those_of_others_stay(tables):
    """As long as there is another row, relays that no layer connects tell what they have numbered."""
    notes.begin("default", "me", 5_000)
    assert not notes.are_others("default", "me")
    notes.make_row("default", "killed", 0)
    notes.make_row("default", "left something", 0)
    notes.replace("default", "left something", notes.encode_note(["a"]), 0)
    notes.renew("default", "idle, and lives", 5_000)
    assert notes.are_others("default", "me")
    notes.remove_idle("default", 4_000)
    assert {each.owner for each in Relay.objects.all()} == {
        "me",
        LOCK,
        notes.SWEEP,
        "left something",
        "idle, and lives",
    }
    notes.remove_idle("default", 6_000)
    assert {each.owner for each in Relay.objects.all()} == {LOCK, notes.SWEEP, "left something"}
    notes.renew("default", "me", 7_000)
    assert Relay.objects.get(owner="me").noted == 7_000
