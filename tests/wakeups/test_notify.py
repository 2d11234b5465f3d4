"""Wake-ups by PostgreSQL, where the topic store ends at the border of the process."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest
from django.db import connection, connections, transaction

from channels import telemetry
from channels.wakeups import listen, notify, wake, wake_on_commit
from tests.support.databases import PostgreSQL
from tests.support.redis_servers import wait_until
from tests.wakeups.test_messages import wake_from_another_process

PATIENCE = 30.0


def listening() -> bool:
    return notify._threads.by_alias["default"].listening.wait(PATIENCE)


def clear(woken: Woken) -> None:
    """Forget a wake-up, and the second look that follows each."""
    wait_until(lambda: not notify._threads.by_alias["default"]._again, "they have looked again")
    woken.clear()


class Woken(threading.Event):
    """Set when a name was woken by another process or a lost way."""

    def listen(self, name: str):
        return listen(name, "default", self.set)


@pytest.fixture
def default(postgresql):
    """What Django's settings say of it."""
    with postgresql.as_default():
        notify._threads.begin()  # a test before may still have its thread, which listens elsewhere
        yield postgresql.settings


def test_a_process_that_only_writes_is_heard(default):
    woken, other = Woken(), Woken()
    listeners = [woken.listen("rows")]
    assert listening()
    assert woken.wait(PATIENCE)  # when it begins to listen, something may have been missed
    clear(woken)
    listeners.append(other.listen("other"))
    wake_from_another_process("rows", DATABASES={"default": default})
    assert woken.wait(PATIENCE)
    assert not other.is_set()
    thread = notify._threads.by_alias["default"]
    for listener in listeners:
        listener.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def heard_by_psycopg(work) -> list[str]:
    """Returns the names that a connection of somebody else's is notified of."""
    import psycopg

    parameters = connections["default"].get_connection_params()
    raw = psycopg.connect(
        host=parameters["host"], user=parameters["user"], dbname=parameters["dbname"], autocommit=True
    )
    raw.execute(f"LISTEN {notify.CHANNEL}")
    work()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [notify.CHANNEL, "x end"])
    names: list[str] = []
    for found in raw.notifies(timeout=PATIENCE):
        names.append(found.payload.partition(" ")[2])
        if names[-1] == "end":
            break
    raw.close()
    return names[:-1]


def test_a_commit_notifies_once_and_a_rollback_never(default):
    def commit():
        with transaction.atomic():
            for _ in range(3):
                wake_on_commit("rows", "default")

    def roll_back():
        with transaction.atomic():
            wake_on_commit("rows", "default")
            transaction.set_rollback(True)

    assert heard_by_psycopg(commit) == ["rows"]
    assert heard_by_psycopg(roll_back) == []


def test_commits_one_after_the_other_notify_once_and_the_last_is_looked_for(default, monkeypatch):
    monkeypatch.setattr(notify, "PAUSE", 0.4)
    looks = []
    listener = listen("rows", "default", lambda: looks.append(time.monotonic()))
    wait_until(lambda: len(looks) == 2, "what began to listen has looked twice")

    def commit() -> None:
        for _ in range(3):
            wake("rows", "default")  # each is passed over here: it is this process's own
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [notify.CHANNEL, "another rows"])

    assert heard_by_psycopg(commit) == ["rows", "rows"], "Of three of its own, one."
    last = time.monotonic()
    wait_until(lambda: len(looks) == 7, "it looks for what came after the notification")
    assert looks[-1] > last, "The second look comes when nobody may be silent any more."
    listener.close()


def test_a_process_with_more_files_than_select_takes_hears(default):
    woken = Woken()
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.callback(os.close, os.dup(0))
        listener = woken.listen("rows")
        failures = telemetry.counters["wakeups.notify_failed"]
        assert woken.wait(PATIENCE)
        clear(woken)
        wake_from_another_process("rows", DATABASES={"default": default})
        assert woken.wait(PATIENCE)
        assert telemetry.counters["wakeups.notify_failed"] == failures
        listener.close()


def test_this_process_passes_over_its_own(default):
    heard = []
    with_end = Woken()
    end = with_end.listen("end")
    assert listening()
    assert with_end.wait(PATIENCE)
    clear(with_end)
    listener = listen("rows", "default", lambda: heard.append("rows"))
    wake("rows", "default")
    wake_from_another_process("end", DATABASES={"default": default})
    assert with_end.wait(PATIENCE)
    assert heard == ["rows"]
    listener.close()
    end.close()


def test_a_server_that_comes_back_is_heard_again():
    woken = Woken()
    with PostgreSQL() as server, server.database().as_default():
        listener = woken.listen("rows")
        assert listening()
        before = telemetry.counters["wakeups.notify_failed"]
        server.kill()
        wait_until(lambda: telemetry.counters["wakeups.notify_failed"] > before, "the loss is counted")
        woken.clear()
        server.start()
        assert woken.wait(PATIENCE), "What was missed has to be looked for."
        listener.close()


def test_the_listener_stays_out_of_a_pool(default):
    options = connection.settings_dict["OPTIONS"]
    options["pool"] = True
    own = notify._own_connection("default")
    del options["pool"]
    assert "pool" not in own.settings_dict["OPTIONS"]
