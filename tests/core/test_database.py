"""What a pool does for database connections; channels.db and channels.sync have the tests of the rest."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from channels import telemetry
from channels.core.database import (
    DatabaseHooks,
    close_what_is_broken,
    close_what_this_thread_opened,
    is_broken,
    is_due,
    is_in_use,
    opened,
    opened_anywhere,
    opened_by,
)
from channels.http import get_asgi_application
from channels.server.in_thread import ServerThread
from channels.sync.context import pool

LOOK = """
from channels.sync.context import pool
before = dict(vars(pool)), type(pool.hooks).__name__, vars(pool.hooks)
import channels.db
assert (dict(vars(pool)), type(pool.hooks).__name__, vars(pool.hooks)) == before
print(before[1])
"""


def test_importing_the_bridge_changes_nothing_of_the_pool() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("DatabaseHooks\n", "")


def test_a_thread_that_has_opened_nothing_has_nothing_to_close() -> None:
    found: list[object] = []

    def look() -> None:
        hooks, thread = DatabaseHooks(), threading.current_thread()
        hooks.begin()
        found.extend([hooks.needs_thread(), hooks.close_stale(), hooks.has_stale(thread), thread in opened])
        hooks.abandon()
        hooks.close_all()
        found.extend(opened_by(thread))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False, None, False, False]


def in_thread(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a thread that opens its own connections, and closes them."""

    def run() -> None:
        try:
            results.append(work())
        finally:
            for connection in connections.all(initialized_only=True):
                connection.close()

    results: list[Any] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (result,) = results
    return result


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """The alias of a database on disk: one in memory is never closed."""
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db"), "CONN_MAX_AGE": 600}
    connections.settings["disk"] = connections.configure_settings({"default": {}, "disk": settings})["disk"]
    yield "disk"
    del connections.settings["disk"]


@pytest.fixture(autouse=True)
def any_database(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def test_what_a_thread_has_opened_is_known_until_it_ends(disk: str) -> None:
    def work() -> Any:
        thread = threading.current_thread()
        connections[disk].ensure_connection()
        connections[disk].close()
        connections[disk].ensure_connection()
        return (
            thread,
            [each.alias for each in opened_by(thread)],
            disk in [one.alias for one in opened_anywhere()],
        )

    thread, aliases, anywhere = in_thread(work)
    assert (aliases, anywhere) == ([disk], True)
    in_thread(work)
    assert thread not in opened, "it has ended, and another thread has opened something since"


def due(connection: Any) -> bool:
    return is_due(connection, time.monotonic())


def test_when_a_connection_is_to_be_closed(disk: str) -> None:
    def work() -> Any:
        connection: Any = connections[disk]
        found = [due(connection)]  # none is open
        connection.ensure_connection()
        found.append(due(connection))
        connection.close_at = time.monotonic() - 1
        found.append(due(connection))
        with transaction.atomic(using=disk):
            found.append(due(connection))
        connection.close_at = None
        connection.errors_occurred = True
        found += [due(connection), is_broken(connection)]
        connection.errors_occurred = False
        connection.health_check_enabled = connection.health_check_done = True
        found.append(due(connection))
        return found

    assert in_thread(work) == [False, False, True, False, True, True, True]


def test_what_is_stale_is_closed_and_nothing_else(disk: str) -> None:
    def work() -> Any:
        connection: Any = connections[disk]
        connection.ensure_connection()
        close_what_this_thread_opened()
        kept = connection.connection is not None
        connection.close_at = time.monotonic() - 1
        close_what_is_broken()
        kept = kept and connection.connection is not None
        close_what_this_thread_opened()
        old = connection.connection
        connection.ensure_connection()
        connection.errors_occurred = True
        connection.set_autocommit(False)
        close_what_is_broken()
        return kept, old, connection.connection

    assert in_thread(work) == (True, None, None)


def test_a_transaction_and_a_cursor_need_their_thread(disk: str) -> None:
    def work() -> Any:
        hooks, connection = DatabaseHooks(), connections[disk]
        found = [is_in_use(connection)]
        connection.ensure_connection()
        hooks.begin()
        found.append(hooks.needs_thread())
        with transaction.atomic(using=disk):
            found.append(hooks.needs_thread())
        cursor = connection.cursor()
        found.append(hooks.needs_thread())
        cursor.close()
        del cursor
        found.append(hooks.needs_thread())
        connection.set_autocommit(False)
        found.append(hooks.needs_thread())
        return found

    assert in_thread(work) == [False, False, True, True, False, True]


def test_what_an_ended_connection_leaves_is_rolled_back_and_told(
    disk: str, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> Any:
        hooks, left = DatabaseHooks(), connections[disk]
        left.ensure_connection()
        hooks.begin()
        hooks.abandon()
        nothing = caplog.text
        transaction.set_autocommit(False, using=disk)
        hooks.abandon()
        return nothing, left.connection, connections[disk] is left

    before = telemetry.counters["threads.connection_abandoned"]
    assert in_thread(work) == ("", None, False)
    assert "left a transaction or a cursor open in the database 'disk'" in caplog.text
    assert telemetry.counters["threads.connection_abandoned"] == before + 1


def test_when_a_thread_of_the_pool_has_to_look_again(disk: str) -> None:
    def work() -> Any:
        hooks, connection = DatabaseHooks(), connections[disk]
        thread = threading.current_thread()
        connection.ensure_connection()
        hooks.begin()
        later, stale = hooks.close_stale(), hooks.has_stale(thread)
        connection.close_at = time.monotonic() - 1
        with transaction.atomic(using=disk):
            soon = hooks.close_stale()  # it is due, and must stay
        due_now = hooks.has_stale(thread)
        closed = hooks.close_stale(), connection.connection
        connection.ensure_connection()
        hooks.close_all()
        return later, stale, soon, due_now, closed, connection.connection

    later, stale, soon, due_now, closed, last = in_thread(work)
    assert 500 < later <= 600
    assert (stale, soon, due_now) == (False, 0.1, True)
    assert (closed, last) == ((None, None), None)


@pytest.mark.parametrize(("most", "kept"), [(None, 3), (2, 2), (0, 0), (5, 3)])
def test_idle_threads_keep_so_many_connections(most: int | None, kept: int, disk: str) -> None:
    """Three threads have each opened one and become idle, one after the other; nobody has waited."""
    others = sum(connection.connection is not None for connection in opened_anywhere())
    hooks = DatabaseHooks(lambda: None if most is None else most + others)
    idle, end = threading.Barrier(4), threading.Event()
    turn = threading.Lock()
    left: list[Any] = []

    def work() -> None:
        connection = connections[disk]
        connection.ensure_connection()
        hooks.begin()
        idle.wait(20)
        with turn:
            hooks.close_stale()
        left.append(connection.connection)
        idle.wait(20)
        end.wait(20)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    idle.wait(20)
    idle.wait(20)
    assert sum(each is not None for each in left) == kept
    end.set()
    for thread in threads:
        thread.join()


def test_what_is_in_use_is_no_surplus(disk: str) -> None:
    def work() -> Any:
        hooks, connection = DatabaseHooks(lambda: 0), connections[disk]
        connection.ensure_connection()
        hooks.begin()
        with transaction.atomic(using=disk):
            hooks.close_stale()
            inside = connection.connection is not None
        hooks.close_stale()
        return inside, connection.connection

    before = telemetry.counters["threads.connection_surplus"]
    assert in_thread(work) == (True, None)
    assert telemetry.counters["threads.connection_surplus"] == before + 1


def test_pages_close_what_is_too_much_when_their_threads_become_idle(disk: str) -> None:
    all_open = threading.Barrier(7)

    def page(request: Any) -> HttpResponse:
        connections[disk].ensure_connection()
        all_open.wait(20)  # six at the same time: nobody waits for a connection of somebody else
        return HttpResponse()

    others = sum(connection.connection is not None for connection in opened_anywhere())
    with (
        override_settings(
            ROOT_URLCONF=(path("", page),),
            MIDDLEWARE=[],
            CHANNELS_IDLE_DATABASE_CONNECTIONS=others + 2,
        ),
        ServerThread(get_asgi_application(), lifespan="off") as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(6):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        all_open.wait(20)
        end = time.monotonic() + 20
        while sum(connection.connection is not None for connection in opened_anywhere()) > others + 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    pool.stop(20)
