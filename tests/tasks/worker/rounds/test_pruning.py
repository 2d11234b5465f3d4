"""What has ended long ago is deleted, as much of it at once as there is time for."""

from __future__ import annotations

from typing import Any

import pytest

from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.definition.options import Options
from channels.tasks.worker.rounds import pruning
from channels.tasks.worker.rounds.pruning import Pruning
from tests.tasks import jobs


@pytest.mark.parametrize(("seconds", "left"), [(0.0, 1500), (60.0, 0)])
def test_a_thousand_rows_are_deleted_or_all_if_there_is_time(monkeypatch, seconds: float, left: int) -> None:
    monkeypatch.setattr(pruning, "_BUDGET", seconds)
    store: Any = store_of(task_backends["default"])
    kept = jobs.add.enqueue(1, 2)
    jobs.note.enqueue_many([(("old",), {})] * 2500)
    with store.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_tasks_task SET state = 'succeeded', finished_at = 5 WHERE path LIKE '%note'"
        )
    Pruning(store, Options()).prune(1.0)
    with store.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM channels_tasks_task WHERE state = 'succeeded'")
        assert cursor.fetchone()[0] == left
    assert store.get(kept.id) is not None
