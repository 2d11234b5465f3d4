"""What is given up, and what becomes of it: by the command, by the checks, by the time."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from channels.outbox.checks import check_dead_letters
from channels.outbox.dead_letters import discard, retry
from channels.outbox.models import DurableMessage, HookCall
from channels.outbox.relay.relay import Relay, prune
from tests.outbox.tools import calls, fail, is_empty, until
from tests.support.databases import Database


@pytest.fixture
def dead(outbox: Database) -> HookCall:
    """A hook that has failed as often as it may."""
    calls.clear()
    fail.on_commit("now")
    relay = Relay("default")
    relay.start()
    until(is_empty)
    relay.stop(5)
    return HookCall.objects.get()


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("outbox", *arguments, stdout=output)
    return output.getvalue()


def test_a_hook_is_tried_so_often_and_then_given_up(dead: HookCall) -> None:
    assert calls == [("now",)] * 3
    assert (dead.state, dead.attempts, dead.owner) == ("dead", 3, "")
    assert dead.error == "ValueError: not today: ('now',)"
    assert dead.failed_at is not None


def test_the_command_lists_and_tries_again(dead: HookCall) -> None:
    DurableMessage.objects.create(layer="default", kind="group", target="room", payload=b"\x80")
    listed = command("list").splitlines()
    assert len(listed) == 2 and f"message:{DurableMessage.objects.get().pk}  ready" in listed[0]
    (line,) = command("list", "--dead").splitlines()
    assert line.startswith(
        f"hook:{dead.pk}  dead  attempts 3  call {dead.pk} of tests.outbox.tools.fail  ValueError"
    )
    with pytest.raises(CommandError, match="or --all"):
        command("retry")
    with pytest.raises(CommandError, match="'hook:x' is no row"):
        command("retry", "hook:x")
    assert command("retry", f"hook:{dead.pk}", "message:99") == "1 are tried again.\n"
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.failed_at) == ("ready", 0, None)
    assert command("discard", "--all") == "0 were discarded.\n"


def test_what_is_tried_again_has_all_its_attempts(dead: HookCall) -> None:
    retry(HookCall.objects.all())
    relay = Relay("default")
    relay.start()
    until(lambda: len(calls) == 6 and is_empty())
    relay.stop(5)
    assert discard(HookCall.objects.all()) == 1


def test_the_check_warns_of_them(dead: HookCall) -> None:
    (warning,) = check_dead_letters(None, databases=["default"])
    assert warning.id == "channels_outbox.W001"
    discard(HookCall.objects.all())
    assert check_dead_letters(None, databases=["default"]) == check_dead_letters(None) == []


def test_the_check_says_nothing_without_tables(sqlite: Database) -> None:
    with sqlite.as_default():
        assert check_dead_letters(None, databases=["default"]) == []


def test_old_ones_are_pruned_in_batches(dead: HookCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.outbox.relay.relay.PRUNED", 2)
    rows = HookCall.objects.all()
    for days in range(5):
        failed_at = timezone.now() - timedelta(days)
        HookCall.objects.create(hook="x", arguments="{}", state="dead", failed_at=failed_at)
    HookCall.objects.create(hook="x", arguments="{}")
    assert prune(rows, 86400 * 1.5) == 3
    assert rows.count() == 4
