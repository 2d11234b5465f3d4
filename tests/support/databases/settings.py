"""A database as Django's settings name it, in this process and in others."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from asgiref.local import Local
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

VARIABLE = "TEST_DATABASE"


@dataclass(frozen=True)
class Database:
    """One fresh database: what Django's ``DATABASES`` says of it."""

    vendor: str
    settings: dict[str, Any]

    @property
    def env(self) -> dict[str, str]:
        """The environment of a program whose settings say ``DATABASES = from_environment()``."""
        return {VARIABLE: json.dumps(self.settings)}

    @contextmanager
    def as_default(self, **others: Database) -> Iterator[BaseDatabaseWrapper]:
        """Let Django's ``default``, and the aliases named, be these databases in each thread of this process.

        Yields:
            The connection of this thread to the default one. All connections are closed at the end.
        """
        aliases = {"default": self, **others}
        stop_what_relays()
        with _databases({alias: database.settings for alias, database in aliases.items()}):
            yield connections["default"]


def stop_what_relays() -> None:
    """End relays that servers of earlier tests have left: they would go on in the next one."""
    relays = sys.modules.get("channels.outbox.relay.relays")
    if relays is not None:
        relays.stop_relays()


def from_environment() -> dict[str, dict[str, Any]]:
    """What ``DATABASES`` is in a program that was started with ``Database.env``."""
    let_django_find_pymysql()
    return {"default": json.loads(os.environ[VARIABLE])}


def let_django_find_pymysql() -> None:
    """Django asks for mysqlclient, which needs a compiler; else PyMySQL does the same."""
    if importlib.util.find_spec("MySQLdb") is None:
        import pymysql

        pymysql.install_as_MySQLdb()


@contextmanager
def _databases(settings: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Threads keep their connections, so they get others to keep, and have theirs again at the end."""
    opened: list[BaseDatabaseWrapper] = []
    create: Any = connections.create_connection

    def recorded(alias: str) -> BaseDatabaseWrapper:
        opened.append(create(alias))
        return opened[-1]

    handler: Any = connections
    kept = handler._connections, handler.settings
    handler._connections = Local(handler.thread_critical)
    handler.settings = handler.configure_settings(settings)
    handler.create_connection = recorded
    try:
        yield
    finally:
        stop_what_relays()
        handler._connections, handler.settings = kept
        handler.create_connection = create
        for connection in opened:
            _close(connection)


def _close(connection: BaseDatabaseWrapper) -> None:
    """Close a connection of whatever thread.

    Not one of SQLite: if its thread is just executing, the process would end. It closes when it is collected.
    """
    if connection.vendor == "sqlite" and getattr(connection, "_thread_ident", 0) != threading.get_ident():
        return
    connection.inc_thread_sharing()
    connection.in_atomic_block = False
    with suppress(Exception):  # its server is gone
        connection.close()
