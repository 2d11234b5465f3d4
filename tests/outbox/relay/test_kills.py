"""A process that uses the outbox is killed: ``LAYER_TESTS=full``: at each step, on each database."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings

from channels.layers import channel_layers, get_channel_layer
from channels.outbox.relay import leases
from channels.outbox.relay.relay import Relay
from tests.layers.size import FULL
from tests.outbox.relay import effects
from tests.outbox.relay.victim import FILE, PATH, layers
from tests.outbox.tools import is_empty, until
from tests.support.databases import VENDORS, Database
from tests.support.served import environment

SENT = list(range(effects.MESSAGES))
#: step: what was written, which messages arrive, how often the hooks take effect: in the file, in the table.
STEPS = {
    "written": (effects.ALL, [], 0, 0),
    "committed": (effects.ALL, SENT, 1, 1),
    "leased": ("messages", SENT, 0, 0),
    "sending": ("messages", SENT, 0, 0),
    "sent": ("messages", [*SENT[:1], *SENT], 0, 0),
    "deleted": ("messages", SENT, 0, 0),
    "claimed": ("file, table", [], 1, 1),
    "running": ("file", [], 2, 0),
    "ran": ("file", [], 2, 0),
    "recorded": ("file", [], 1, 0),
    "atomic": ("table", [], 0, 1),
    "atomic recorded": ("table", [], 0, 1),
}
SMALL = ["committed", "sent", "running", "atomic"]
CASES = [(vendor, step) for vendor in VENDORS for step in STEPS]
CASES = CASES if FULL else [("sqlite", step) for step in SMALL]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where the processes meet: a layer that spans them, and a file."""
    folder = tempfile.mkdtemp(prefix="fwh")
    monkeypatch.setenv(PATH, folder)
    monkeypatch.setenv(FILE, str(tmp_path / "effects"))
    (tmp_path / "effects").touch()
    with override_settings(CHANNEL_LAYERS=layers()):
        yield tmp_path / "effects"
    channel_layers.backends.clear()
    shutil.rmtree(folder, ignore_errors=True)


def victim(database: Database, step: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.outbox.relay.victim", step]
    return subprocess.Popen(command, env=environment(**database.env))


def prepare() -> None:
    call_command("migrate", "channels_outbox", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(effects.TABLE)


def in_table() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM effects")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("vendor", "step"), CASES)
async def test_nothing_is_lost(
    vendor: str, step: str, place: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "SILENCE", 1.5)
    database: Database = request.getfixturevalue(vendor)
    kinds, messages, file, table = STEPS[step]
    with database.as_default():
        await asyncio.to_thread(prepare)
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        if step not in ("written", "committed"):
            await asyncio.to_thread(_commit, kinds)
        process = victim(database, step)
        assert await asyncio.to_thread(process.wait, 40) == -9
        relay = Relay("default")
        relay.start()
        await asyncio.to_thread(until, is_empty)
        await asyncio.to_thread(relay.stop, 5)
        await layer.group_send("room", {"type": "end"})
        found = []
        while (message := await asyncio.wait_for(layer.receive(channel), 20))["type"] != "end":
            found.append(message["number"])
        # The layer may have had no time to hand over the first one.
        assert found == messages or (step == "sent" and found == SENT)
        assert place.read_text().splitlines() == ["called"] * file
        assert await asyncio.to_thread(in_table) == table
        await layer.aclose()


def _commit(kinds: str = effects.ALL) -> None:
    with transaction.atomic():
        effects.write(kinds)


async def test_another_process_takes_over_within_ten_seconds(place: Path, sqlite: Database) -> None:
    """It lasts as long as that takes: the promise is a time."""
    with sqlite.as_default():
        await asyncio.to_thread(prepare)
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await asyncio.to_thread(_commit)
        process = victim(sqlite, "sending")  # has the lease, and hooks
        assert await asyncio.to_thread(process.wait, 40) == -9
        killed = time.monotonic()
        relay = Relay("default")
        relay.start()
        found = [(await asyncio.wait_for(layer.receive(channel), 40))["number"] for _ in SENT]
        await asyncio.to_thread(until, is_empty)
        assert time.monotonic() - killed < 10
        assert found == SENT
        await asyncio.to_thread(relay.stop, 5)
        await layer.aclose()


@pytest.mark.skipif(not FULL, reason="it takes ten seconds")
async def test_a_process_that_stood_still_sends_nothing_more(
    place: Path, postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped after its first message; when it goes on, another one has sent the rest."""
    monkeypatch.setattr(leases, "SILENCE", leases.TRUST + 0.5)
    with postgresql.as_default():
        await asyncio.to_thread(prepare)
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await asyncio.to_thread(_commit, "messages")
        process = victim(postgresql, "stopped")
        _, status = await asyncio.to_thread(os.waitpid, process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        relay = Relay("default")
        relay.start()
        await asyncio.to_thread(until, is_empty)
        process.send_signal(signal.SIGCONT)
        await asyncio.to_thread(_commit, "file")
        await asyncio.to_thread(until, lambda: is_empty() and place.read_text())
        await asyncio.to_thread(relay.stop, 5)
        process.kill()
        process.wait()
        await layer.group_send("room", {"type": "end"})
        found = []
        while (message := await asyncio.wait_for(layer.receive(channel), 20))["type"] != "end":
            found.append(message["number"])
        assert found in ([*SENT[:1], *SENT], SENT)
        await layer.aclose()
