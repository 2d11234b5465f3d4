"""The relay is killed at each of its steps; what was committed arrives once and in order, by another relay.

Each step runs on one database in turn; with ``LAYER_TESTS=full`` (``make chaos``) on all of them.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from channels.journal import relay
from channels.journal.models import Pending
from channels.journal.store import DatabaseStore
from channels.testing.store_contract.tools import Recorder, offsets, values
from channels.topics.stores.host import HostStore
from channels.topics.stores.manager import set_store
from tests.journal.topics import Kept
from tests.layers.size import FULL
from tests.support.databases import VENDORS, Database
from tests.support.redis_servers import wait_until
from tests.support.served import environment

#: Where the process is killed, and whether its transaction had been committed.
STEPS = [
    ("before the commit", False),
    ("before numbering", True),
    ("after PENDING", True),
    ("after STREAMS", True),
    ("after DELETE_PENDING", True),
    ("after INSERT_PUBLICATION", True),
    ("after UPDATE_STREAM", True),
    ("after NOTE", True),
    ("before carrying", True),
    ("after carrying", True),
]
#: The same where PostgreSQL numbers by one call: the topic is known there.
CALL_STEPS = ["before the call", "after the call", "before carrying what was called for"]
CASES = [
    pytest.param(vendor, step, committed, id=f"{step}-{vendor}")
    for index, (step, committed) in enumerate(STEPS)
    for vendor in (VENDORS if FULL else [VENDORS[index % len(VENDORS)]])
] + [pytest.param("postgresql", step, True, id=step) for step in CALL_STEPS]


@pytest.fixture
def folder() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="kills")  # pytest's own are too long for a Unix socket
    yield path
    shutil.rmtree(path, ignore_errors=True)


def killed(folder: str, step: str, database: Database) -> None:
    command = [sys.executable, "-m", "tests.journal.relaying", folder, step]
    env = environment(**database.env)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.mark.parametrize(("vendor", "step", "committed"), CASES)
async def test_what_was_committed_arrives_once_and_in_order(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    vendor: str,
    step: str,
    committed: bool,
) -> None:
    database: Database = request.getfixturevalue(vendor)
    room = str(Kept(name="killed"))
    monkeypatch.setattr(relay, "POLL", 3600.0)  # the killed process is the first
    with database.as_default():
        await asyncio.to_thread(call_command, "migrate", "channels_journal", verbosity=0)
        store, recorder = DatabaseStore(carrier=HostStore(path=folder)), Recorder()
        set_store("database", store)
        await store.subscribe(room, recorder)
        await asyncio.to_thread(wait_until, lambda: store._relay._next_poll, "the relay has polled once")
        await asyncio.to_thread(killed, folder, step, database)
        monkeypatch.setattr(relay, "POLL", 0.1)
        monkeypatch.setattr(relay, "GRACE", 0.1)
        store._relay._next_poll = 0.0
        store._relay._woken.set()
        expected = [0, 1, 2] if committed else []
        assert values(await recorder.take(room, len(expected))) == expected
        last = await asyncio.to_thread(Kept(name="killed").publish, "last")
        assert last.position.offset == len(expected) + 1
        received = await recorder.take(room, len(expected) + 1)
        assert values(received) == [*expected, "last"]
        assert offsets(received) == [*range(1, len(expected) + 2)]
        assert await asyncio.to_thread(Pending.objects.count) == 0
        await store.aclose()
        set_store("database", None)
