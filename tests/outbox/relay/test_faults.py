"""Databases and layers that are away, locked or full, clocks that jump, releases that do not fit."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from channels import telemetry
from channels.layers import channel_layers, get_channel_layer
from channels.outbox import durable
from channels.outbox.models import DurableMessage, HookCall, Lease
from channels.outbox.relay import hooks, leases, threads
from channels.outbox.relay.messages import explain
from channels.outbox.relay.relay import Relay
from tests.outbox import tools
from tests.outbox.tools import calls, change_and_wait, fail, is_empty, note, says, until, wait_for_release
from tests.support.databases import Database, PostgreSQL
from tests.support.redis_servers import RedisServer


@pytest.fixture(autouse=True)
def fresh() -> None:
    calls.clear()
    tools.release.clear()


@pytest.fixture
def plain(sqlite: Database):
    """The tables, in SQLite."""
    with sqlite.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        yield sqlite


def relayed() -> Relay:
    relay = Relay("default")
    relay.start()
    return relay


def count(name: str) -> int:
    return telemetry.counters[name]


def test_the_database_goes_away_while_a_hook_runs() -> None:
    with PostgreSQL() as server, server.database().as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        relay = relayed()
        wait_for_release.on_commit("once")
        until(lambda: calls == ["once"])
        connection.close()
        failures = count("outbox.database_failed")
        server.stop()
        tools.release.set()
        until(lambda: count("outbox.database_failed") > failures, "the relay has seen it")
        server.start()
        note.on_commit("after")
        until(is_empty)
        relay.stop(5)
    assert calls == ["once", (("after",), {})]


def test_somebody_else_locks_the_database(plain: Database) -> None:
    plain.settings["OPTIONS"]["timeout"] = 0.05
    note.on_commit(1)
    other = sqlite3.connect(plain.settings["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    failures = count("outbox.database_failed")
    with plain.as_default():
        relay = relayed()
        until(lambda: count("outbox.database_failed") > failures, "the relay has seen it")
        assert calls == []
        other.execute("ROLLBACK")
        until(is_empty)
        relay.stop(5)
    other.close()
    assert calls == [((1,), {})]


def test_the_disk_is_full(layer, plain: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages + 20}")
    accepted = []
    with pytest.raises(OperationalError, match="full"):
        _fill(layer, accepted)
    assert 0 < len(accepted) == DurableMessage.objects.count()
    relay = relayed()
    until(is_empty)
    relay.stop(5)


def _fill(layer, accepted: list[int]) -> None:
    for number in range(1000):
        with transaction.atomic():
            layer.durable.group_send("room", {"type": "said", "number": number, "text": "x" * 1000})
        accepted.append(number)


async def test_the_tables_come_later(layer, sqlite: Database, monkeypatch, caplog) -> None:
    monkeypatch.setattr(threads, "UNMIGRATED", 0.05)
    with sqlite.as_default():
        relay = relayed()
        await asyncio.to_thread(until, lambda: "run `manage.py migrate`" in caplog.text)
        await asyncio.to_thread(call_command, "migrate", "channels_outbox", verbosity=0)
        await note.aon_commit(1)
        await asyncio.to_thread(until, lambda: calls == [((1,), {})])
        await asyncio.to_thread(relay.stop, 5)
    assert caplog.text.count("run `manage.py migrate`") <= 2  # once for each of its threads


def test_redis_is_away(plain: Database) -> None:
    backend = {"BACKEND": "channels_redis.core.RedisChannelLayer"}
    with RedisServer() as server:
        layers = {"default": {**backend, "CONFIG": {"hosts": [server.url]}}}
        with override_settings(CHANNEL_LAYERS=layers, CHANNELS_OUTBOX={"MAX_ATTEMPTS": 1}):
            server.kill()
            for number in range(3):
                durable().send("worker", {"type": "work", "number": number})
            delays = count("outbox.message_delayed")
            relay = relayed()
            until(lambda: count("outbox.message_delayed") > delays + 1, "it was tried more than once")
            assert DurableMessage.objects.filter(state="ready", attempts=0).count() == 3
            server.start()
            until(is_empty)
            relay.stop(5)
            assert asyncio.run(_received()) == [0, 1, 2]
        channel_layers.backends.clear()


async def _received() -> list[int]:
    layer = get_channel_layer()
    found = [(await asyncio.wait_for(layer.receive("worker"), 20))["number"] for _ in range(3)]
    await layer.aclose()
    return found


def test_a_layer_that_is_not_in_the_settings_is_waited_for(layer, plain: Database) -> None:
    channel = asyncio.run(layer.new_channel())
    durable().send(channel, {"type": "said"})
    DurableMessage.objects.update(layer="later")
    delays = count("outbox.message_delayed")
    relay = relayed()
    until(lambda: count("outbox.message_delayed") > delays)
    channel_layers.set("later", layer)
    until(is_empty)
    relay.stop(5)
    assert layer.statistics()["unread"] == 1


def test_what_no_attempt_could_send_is_given_up_at_once(plain: Database) -> None:
    config = {"max_message_size": 1000, "project": plain.settings["NAME"]}
    layers = {"default": {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": config}}
    with override_settings(CHANNEL_LAYERS=layers):
        durable().group_send("room", {"type": "said", "text": "x" * 2000})
        relay = relayed()
        until(is_empty)
        relay.stop(5)
        asyncio.run(get_channel_layer().aclose())
    dead = DurableMessage.objects.get()
    assert (dead.state, dead.attempts) == ("dead", 1)
    assert dead.error.startswith("MessageTooLarge")
    channel_layers.backends.clear()


def test_a_hook_of_the_next_release_is_waited_for(plain: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "UNKNOWN", 0.05)
    unknown = count("outbox.hook_unknown")
    row = HookCall.objects.create(hook="tests.outbox.tools.later", arguments='{"args":[1],"kwargs":{}}')
    relay = relayed()
    until(lambda: count("outbox.hook_unknown") > unknown + 1)
    row.refresh_from_db()
    assert row.state == "ready"
    assert row.error.startswith("UnknownHook: tests.outbox.tools.later cannot be imported")
    monkeypatch.setattr(tools, "later", note, raising=False)
    until(is_empty)
    relay.stop(5)
    assert calls == [((1,), {})]


@pytest.mark.parametrize("days", [-2, 2])
def test_the_clock_jumps(plain: Database, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Back, while a hook waits for its next attempt; forth and back, while another one runs."""
    taken = count("outbox.lease_taken_over")
    real = timezone.now
    relays = [relayed(), relayed()]
    wait_for_release.on_commit("once")
    until(lambda: calls == ["once"])
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(days=days))
    HookCall.objects.create(hook=note.path, arguments='{"args":[],"kwargs":{}}', run_at=real())
    until(lambda: len(calls) == 2)
    monkeypatch.setattr(timezone, "now", real)
    tools.release.set()
    until(is_empty)
    for relay in relays:
        relay.stop(5)
    assert calls == ["once", ((), {})]
    assert count("outbox.lease_taken_over") == taken


def test_a_hook_that_raises_anything_ends_no_thread(plain: Database) -> None:
    fail.on_commit()
    HookCall.objects.create(hook="tests.outbox.tools.exits", arguments='{"args":[],"kwargs":{}}')
    note.on_commit("after")
    relay = relayed()
    until(is_empty)
    relay.stop(5)
    assert set(HookCall.objects.values_list("hook", "error")) == {
        (fail.path, "ValueError: not today: ()"),
        ("tests.outbox.tools.exits", "SystemExit: 3"),
    }


def test_what_ends_its_process_each_time_is_given_up(plain: Database) -> None:
    """The attempts were counted when they began."""
    HookCall.objects.create(hook=note.path, arguments='{"args":[],"kwargs":{}}', attempts=10)
    relay = relayed()
    until(is_empty)
    relay.stop(5)
    assert HookCall.objects.get().error == "The process ended while it ran, each time."
    assert calls == []


def test_an_atomic_hook_that_was_taken_over_changes_nothing(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process took its row while it ran: what it did is undone, and done by whoever has the row."""
    monkeypatch.setattr(leases, "SILENCE", 0.5)
    lost = count("outbox.lease_lost")
    with postgresql.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        change_and_wait.on_commit("effect")
        relay = relayed()
        until(lambda: calls == ["effect"])
        HookCall.objects.update(owner="another process")
        tools.release.set()
        until(is_empty)
        relay.stop(5)
        assert (calls, Lease.objects.filter(name="effect").count()) == (["effect", "effect"], 1)
    assert count("outbox.lease_lost") == lost + 1


def test_a_setting_that_cannot_be_read_ends_no_relay(
    plain: Database, caplog: pytest.LogCaptureFixture
) -> None:
    failures = count("outbox.relay_failed")
    relay = relayed()
    with override_settings(CHANNELS_OUTBOX={"POLL_INTERVAL": "often"}):
        relay._poller.wake()
        until(lambda: count("outbox.relay_failed") > failures)
    note.on_commit("after")
    until(is_empty)
    relay.stop(5)
    assert "is looked at again in a while" in caplog.text


def test_an_error_that_no_database_could_store_is_stored(outbox: Database) -> None:
    says.on_commit("ñ\0🙂")
    relay = relayed()
    until(is_empty)
    relay.stop(5)
    assert HookCall.objects.get().error == "ValueError: ñ\\x00\\U0001f642"
    assert explain(ValueError("\ud800")) == "ValueError: \\ud800"


def test_without_wake_ups_it_is_polled(layer, plain: Database, caplog: pytest.LogCaptureFixture) -> None:
    stores = {"default": {"BACKEND": "no.such.Store"}}
    with override_settings(CHANNELS_TOPICS={"STORES": stores}, CHANNELS_OUTBOX={"POLL_INTERVAL": 0.05}):
        relay = relayed()
        until(lambda: "Nothing wakes the relay of the outbox" in caplog.text)
        note.on_commit(1)
        until(is_empty)
        relay.stop(5)
    assert calls == [((1,), {})]
