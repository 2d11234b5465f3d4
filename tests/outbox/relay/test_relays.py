"""The relays of a process: which there are, and when."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from channels.outbox.relay import relays
from channels.outbox.relay.relays import start_relays, stop_relays
from tests.outbox.tools import calls, note, until
from tests.support.databases import Database

BOTH = {"DATABASES": ["default", "other"]}


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    calls.clear()
    yield
    stop_relays()


def file_at(path: Path) -> Database:
    return Database("sqlite", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)})


def test_each_database_has_its_own(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = file_at(tmp_path / "other")
    monkeypatch.setitem(settings.DATABASES, "other", other.settings)
    with sqlite.as_default(other=other), override_settings(CHANNELS_OUTBOX=BOTH):
        for alias in BOTH["DATABASES"]:
            call_command("migrate", "channels_outbox", database=alias, verbosity=0)
        start_relays()
        start_relays()
        assert set(relays._relays) == {"default", "other"}
        with transaction.atomic(using="other"):
            note.using("other").on_commit("other")
            note.on_commit("default")
            until(lambda: calls == [(("default",), {})], "it does not wait for the other database")
        until(lambda: calls == [(("default",), {}), (("other",), {})])
        stop_relays()


def test_a_database_in_memory_is_that_of_a_test() -> None:
    start_relays()
    assert relays._relays == {}


def test_a_mistake_in_the_setting_ends_no_server(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), override_settings(CHANNELS_OUTBOX={"DATABASE": "default"}):
        start_relays()
    assert "The outbox is not relayed: CHANNELS_OUTBOX has 'DATABASE'" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_a_fork_has_none_and_can_start_its_own(sqlite: Database) -> None:
    with sqlite.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        start_relays()
        child = os.fork()
        if not child:
            os._exit(len(relays._relays))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert set(relays._relays) == {"default"}
        note.on_commit("still")
        until(lambda: calls == [(("still",), {})])
        stop_relays()
