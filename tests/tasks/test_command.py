"""``manage.py tasks``."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from channels.tasks import cron
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.schedule.schedules import registered
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, working


def tasks(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("tasks", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def shown(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tasks", *arguments, stdout=out)
    return out.getvalue()


def state(result: Any) -> str:
    return store_of(task_backends[result.backend]).get(result.id).state


def test_status_says_what_waits_runs_and_has_failed(monkeypatch) -> None:
    monkeypatch.setattr("channels.tasks.schedule.schedules.registered", registered)
    cron("@daily")(jobs.important)
    with working() as worker:
        failed = finished(jobs.fail.enqueue())
        running = jobs.wait_for_gate.enqueue()
        assert jobs.started.wait(5)
        waiting = jobs.add.enqueue(1, 2)
        found = tasks("status")
        text = shown("status")
    del registered["tests.tasks.jobs.important"]
    assert found["states"] == {"ready": 1, "scheduled": 0, "recovered": 0, "running": 1, "limited": 0}
    assert found["oldest_ready"] >= 0
    assert list(found["queues"]) == ["default"] and "queue default: the first waits for " in text
    assert [(each["id"], each["running"]) for each in found["workers"]] == [(worker.owner, 1)]
    assert [(each["id"], each["error"]) for each in found["failures"]] == [(failed.id, "builtins.ValueError")]
    assert list(found["schedules"]) == ["tests.tasks.jobs.important"]
    assert f"failed {failed.id} tests.tasks.jobs.fail" in text
    assert "ready 1" in text and worker.owner in text
    assert {state(each) for each in (running, waiting)} <= {"succeeded", "ready"}


def test_failed_tasks_run_again_by_id_or_all_of_a_path() -> None:
    with working():
        first, second = (finished(jobs.fail.enqueue()) for _ in range(2))
        done = finished(jobs.add.enqueue(1, 2))
    assert tasks("retry", first.id, done.id, "0" * 32) == {
        "done": [first.id],
        "left": [done.id],
        "unknown": ["0" * 32],
    }
    assert state(first) == "ready"
    assert tasks("retry", "--failed", "--path", "another.task")["done"] == []
    assert tasks("retry", "--failed", "--path", second.task.module_path)["done"] == [second.id]
    with pytest.raises(CommandError, match="--failed"):
        tasks("retry")


def test_tasks_are_cancelled_and_deleted() -> None:
    result, kept = jobs.add.enqueue(1, 2), jobs.add.enqueue(1, 2)
    assert shown("cancel", result.id, "0" * 32) == (
        f"1 tasks are cancelled, or asked to stop. There is no task {'0' * 32}.\n"
    )
    assert tasks("purge", "--older-than", "1") == {"deleted": 0}
    assert tasks("purge", "--state", "succeeded") == {"deleted": 0}
    store = store_of(task_backends["default"])
    now = store.clock()
    store.clock = lambda: now + 10
    assert tasks("purge") == {"deleted": 1}
    assert state(kept) == "ready"


def test_a_backend_of_others_is_refused(settings) -> None:
    with pytest.raises(CommandError):
        tasks("--backend", "nowhere", "status")


@pytest.mark.usefixtures("tables")
def test_the_overview_is_the_same_on_each_database() -> None:
    in_database(jobs.add).enqueue(1, 2)
    assert tasks("--backend", "database", "status")["states"]["ready"] == 1
    assert tasks("--backend", "database", "retry", "--failed")["done"] == []
