"""The contract of stores, on each database and with each carrier."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from typing import Any

import pytest
from django.core.management import call_command

from channels.journal.store import DatabaseStore
from channels.testing.contracts import TopicStoreContract
from channels.testing.store_contract.delivery import DeliveryContract
from channels.topics.stores.host import HostStore
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.redis import RedisStore
from tests.support.databases import Database
from tests.support.redis_servers import RedisServer


class Tables:
    """A fresh database for each test."""

    @pytest.fixture(autouse=True)
    def tables(self, request: pytest.FixtureRequest):
        database: Database = request.getfixturevalue(self.fixture)
        with database.as_default():
            call_command("migrate", "channels_journal", verbosity=0)
            yield

    fixture = "sqlite"


class JournalTests(Tables, TopicStoreContract):
    """The whole contract."""


class DefaultSQLiteTests(JournalTests, unittest.IsolatedAsyncioTestCase):
    """SQLite as Django's settings have it, and nothing but the database spans processes."""

    fixture = "sqlite_by_default"

    def make_store(self, **config: Any) -> DatabaseStore:
        return DatabaseStore(carrier=MemoryStore())


class SQLiteTests(JournalTests, unittest.IsolatedAsyncioTestCase):
    """The host store carries; SQLite with WAL."""

    spans_processes = True

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="journal")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def make_store(self, **config: Any) -> DatabaseStore:
        return DatabaseStore(carrier=HostStore(path=self.folder, **config))


class RedisTests(Tables, DeliveryContract, unittest.IsolatedAsyncioTestCase):
    """A store over Redis carries: what is delivered."""

    spans_processes = True

    @pytest.fixture(autouse=True)
    def server(self, own_server: RedisServer):
        self.redis = own_server

    def make_store(self, **config: Any) -> DatabaseStore:
        return DatabaseStore(carrier=RedisStore([self.redis.address], **config))


class PostgreSQLTests(SQLiteTests):
    fixture = "postgresql"


class MariaDBTests(SQLiteTests):
    fixture = "mariadb"
