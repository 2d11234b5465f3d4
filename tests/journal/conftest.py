"""Databases as they are by default, and stores of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from django.core.management import call_command

from channels.journal.store import DatabaseStore
from channels.testing.store_contract.tools import Recorder
from channels.topics.stores.manager import get_store, set_store
from tests.layers.redis.conftest import own_server  # noqa: F401 (fixture)
from tests.support.databases import Database
from tests.topics.conftest import own_store  # noqa: F401 (fixture)

Listen: TypeAlias = Callable[..., Awaitable[Recorder]]


@pytest.fixture
def sqlite_by_default(tmp_path: Path) -> Database:
    """A fresh file of SQLite, without options: a journal that is rolled back, transactions that wait late."""
    return Database(
        "sqlite", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "default.sqlite3")}
    )


@pytest.fixture
def tables(database: Database) -> Iterator[Database]:
    """The tables of the journal, on each kind of database."""
    with database.as_default():
        call_command("migrate", "channels_journal", verbosity=0)
        yield database


@pytest.fixture
async def store(tables: Database) -> AsyncIterator[DatabaseStore]:
    """The store "database", as a project has it whose layer is in memory."""
    set_store("database", None)
    found = get_store("database")
    assert isinstance(found, DatabaseStore)
    yield found
    await found.aclose()
    set_store("database", None)


@pytest.fixture
async def listen(store: DatabaseStore) -> Listen:
    """Returns a function that subscribes a receiver of its own to topics."""

    async def subscribed(*topics: object) -> Recorder:
        recorder = Recorder()
        for topic in topics:
            await store.subscribe(str(topic), recorder)
        return recorder

    return subscribed
