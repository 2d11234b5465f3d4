"""Wake-ups within one process: after commits, never after rollbacks, once."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test import TestCase

from channels import telemetry
from channels.topics.stores.manager import set_store
from channels.topics.stores.memory import MemoryStore
from channels.wakeups import messages, wake, wake_on_commit
from tests.wakeups.conftest import Woken

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_commit_wakes_once_per_name(woken):
    with transaction.atomic():
        for _ in range(3):
            wake_on_commit("one", "default")
            wake_on_commit("two", "default")
        with transaction.atomic():
            wake_on_commit("one", "default")
        assert woken == []
        assert len(connection.run_on_commit) == 2
    assert woken == ["one", "two"]
    with transaction.atomic():
        wake_on_commit("one", "default")
    assert woken == ["one", "two", "one"]


def roll_back(work) -> None:
    with transaction.atomic():
        work()
        raise ZeroDivisionError


def test_a_rollback_wakes_nobody(woken):
    with pytest.raises(ZeroDivisionError):
        roll_back(lambda: wake_on_commit("one", "default"))
    assert woken == []
    with transaction.atomic():
        wake_on_commit("one", "default")
    assert woken == ["one"]


def test_a_savepoint_takes_its_wake_up_along_and_nothing_else(woken):
    with transaction.atomic():
        wake_on_commit("two", "default")
        with pytest.raises(ZeroDivisionError):
            roll_back(lambda: wake_on_commit("one", "default"))
        wake_on_commit("one", "default")
    assert woken == ["two", "one"]
    with transaction.atomic(), pytest.raises(ZeroDivisionError):
        roll_back(lambda: wake_on_commit("one", "default"))
    assert woken == ["two", "one"]


def test_without_a_transaction_it_is_at_once(woken):
    wake_on_commit("one", "default")
    wake("two", "default")
    assert woken == ["one", "two"]


def test_code_that_commits_by_itself_wakes_nobody_too_early(woken):
    transaction.set_autocommit(False)
    try:
        wake_on_commit("one", "default")
        assert woken == []
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


class FailingStore(MemoryStore):
    """A store that spans processes, and does not answer."""

    spans_processes = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.sync.broadcast = self.fail

    def fail(self, message: bytes) -> None:
        self.asked += 1
        raise OSError("away")


def test_a_store_that_is_away_costs_commits_nothing_more(woken):
    store = FailingStore()
    before = set_store("default", store)
    counted = telemetry.counters["wakeups.not_sent"]
    try:
        for _ in range(5):
            with transaction.atomic():
                wake_on_commit("nobody here", "default")
        assert store.asked == 1
        assert telemetry.counters["wakeups.not_sent"] == counted + 5
        wake("one", "default", nearest=True)
        assert telemetry.counters["wakeups.not_sent"] == counted + 5
    finally:
        set_store("default", before)
        messages._receivers.silent_until = 0.0


class InATestCase(TestCase):
    """Where nothing is ever committed."""

    def test_captured_hooks_wake_each_time(self):
        woken = Woken()
        self.addCleanup(woken.listen("one").close)
        for n in range(1, 3):
            with self.captureOnCommitCallbacks(execute=True) as callbacks:
                wake_on_commit("one", "default")
            assert (len(callbacks), woken) == (1, ["one"] * n)
