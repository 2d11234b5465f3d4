"""Who in this process is woken."""

from __future__ import annotations

import os

import pytest
from django.db import transaction

from channels import telemetry
from channels.wakeups import listen, wake, wake_on_commit
from channels.wakeups.listeners import listeners

pytestmark = pytest.mark.django_db(transaction=True)


def test_other_names_and_databases_are_not_woken(woken):
    wake("three", "default")
    wake("one", "default")
    assert woken == ["one"]
    other = woken.listen("other")
    other.close()
    other.close()
    wake("other", "default")
    assert woken == ["one"]


def test_what_a_callback_or_a_hook_of_others_raises_stops_nothing(woken):
    failing = listen("one", "default", lambda: 1 / 0)
    before = telemetry.counters["wakeups.callback_failed"]
    with transaction.atomic():
        transaction.on_commit(lambda: 1 / 0, robust=True)
        wake_on_commit("one", "default")
    failing.close()
    assert woken == ["one"]
    assert telemetry.counters["wakeups.callback_failed"] == before + 1


def test_a_forked_process_is_another_and_wakes_nobody(woken):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        listeners.wake("one", "default")
        os.write(writer, f"{listeners.origin} {len(woken)}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    origin, amount = os.read(reader, 100).decode().split()
    os.close(reader)
    os.close(writer)
    assert origin != listeners.origin
    assert amount == "0"
