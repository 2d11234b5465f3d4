"""Databases of the tests' own: PostgreSQL and MariaDB, started when a test asks for one, and SQLite with WAL.

A test that takes ``database`` runs once for each of the three; one that takes ``postgresql``, ``mariadb`` or
``sqlite`` runs on that one. Each test has a fresh database; a server is started once per process of pytest.
A test that stops its server makes one of its own: ``with PostgreSQL() as server: server.database()``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.servers import MariaDB, PostgreSQL, Server
from tests.support.databases.settings import Database, from_environment

__all__ = [
    "VENDORS",
    "Database",
    "MariaDB",
    "PostgreSQL",
    "Server",
    "database",
    "from_environment",
    "mariadb",
    "mariadb_server",
    "postgresql",
    "postgresql_server",
    "sqlite",
]

VENDORS = ("sqlite", "postgresql", "mariadb")
_numbers = itertools.count(1)


def _server(kind: type[Server]) -> Iterator[Server]:
    server = kind()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The server that tests of this process share. Do not stop it."""
    yield from _server(PostgreSQL)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """The server that tests of this process share. Do not stop it."""
    yield from _server(MariaDB)


@pytest.fixture
def postgresql(postgresql_server: Server) -> Database:
    """A fresh database of PostgreSQL."""
    return postgresql_server.database()


@pytest.fixture
def mariadb(mariadb_server: Server) -> Database:
    """A fresh database of MariaDB."""
    return mariadb_server.database()


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """A fresh file of SQLite, as Django recommends it for more than one writer."""
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;", "timeout": 10}
    settings = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / f"fresh_{next(_numbers)}.sqlite3"),
        "OPTIONS": options,
    }
    return Database("sqlite", settings)


@pytest.fixture(params=VENDORS)
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database of each vendor in turn."""
    return request.getfixturevalue(request.param)
