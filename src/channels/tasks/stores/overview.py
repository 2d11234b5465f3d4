"""What statements say of a store at a glance. Nothing is counted to its end: ten thousand is many."""

from __future__ import annotations

import json
from typing import Any, Final

from channels.tasks.definition.states import State
from channels.tasks.stores import limits
from channels.tasks.stores.records import MICROSECONDS, MOST, Overview, limit_shown
from channels.tasks.stores.statements import TASKS, TICKS, WORKERS

#: Those whose rows are few: what waits and what runs.
OPEN: Final = (State.READY, State.SCHEDULED, State.RECOVERED, State.RUNNING, State.LIMITED)
#: Not the first by id of all: PostgreSQL would go along the primary key, past all that have ended.
OLDEST_READY: Final = (
    f"SELECT run_at FROM (SELECT id, run_at FROM {TASKS} WHERE state = 'ready' LIMIT {MOST}) AS few "
    "ORDER BY id LIMIT 1"
)
#: By queue since when one of its tasks may run.
QUEUES: Final = (
    f"SELECT queue, MIN(run_at) FROM (SELECT queue, run_at FROM {TASKS} WHERE state = 'ready' LIMIT {MOST}) "
    "AS few GROUP BY queue ORDER BY queue LIMIT 100"
)
_FAILED: Final = (State.FAILED, State.DEAD)
_FAILURES: Final = 10


def overview(cursor: Any, now: int) -> Overview:
    """Look at a store.

    Args:
        cursor: of its database.
        now: the time in microseconds.
    """
    states = {str(state): _count(cursor, state) for state in OPEN}
    cursor.execute(OLDEST_READY)
    first = cursor.fetchone()
    cursor.execute(f"SELECT name, ticked_at FROM {TICKS} ORDER BY name")
    schedules = {name: ticked / MICROSECONDS for name, ticked in cursor.fetchall()}
    workers = _workers(cursor)
    failures = [each for state in _FAILED for each in _failures(cursor, state)]
    oldest = None if first is None else (now - first[0]) / MICROSECONDS
    newest = sorted(failures, key=lambda each: -each["finished_at"])[:_FAILURES]
    return Overview(states, oldest, workers, schedules, newest, _limits(cursor), _queues(cursor, now))


def failed_ids(cursor: Any, path: str, limit: int) -> list[str]:
    """Return the ids of tasks that have failed, of one path or of all; so many at most."""
    condition, parameters = (" AND path = %s", (path,)) if path else ("", ())
    found: list[str] = []
    for state in _FAILED:
        statement = f"SELECT id FROM {TASKS} WHERE state = '{state}' AND finished_at IS NOT NULL{condition}"
        cursor.execute(f"{statement} LIMIT %s", (*parameters, limit - len(found)))
        found += [row[0] for row in cursor.fetchall()]
    return found


def _count(cursor: Any, state: State) -> int:
    cursor.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {TASKS} WHERE state = '{state}' LIMIT {MOST}) AS few"
    )
    return int(cursor.fetchone()[0])


def _workers(cursor: Any) -> list[dict[str, Any]]:
    cursor.execute(f"SELECT owner, COUNT(*) FROM {TASKS} WHERE state = 'running' GROUP BY owner")
    running = dict(cursor.fetchall())
    cursor.execute(f"SELECT id, beats, about, seen_at FROM {WORKERS} ORDER BY seen_at DESC LIMIT 100")
    return [
        {"id": owner, "beats": beats, "seen_at": seen / MICROSECONDS, "running": running.get(owner, 0)}
        | json.loads(about)
        for owner, beats, about, seen in cursor.fetchall()
    ]


def _queues(cursor: Any, now: int) -> dict[str, float]:
    cursor.execute(QUEUES)
    return {queue: max(0, now - first) / MICROSECONDS for queue, first in cursor.fetchall()}


def _limits(cursor: Any) -> list[dict[str, Any]]:
    cursor.execute(
        f"SELECT limit_key, COUNT(*) FROM "
        f"(SELECT limit_key FROM {TASKS} WHERE state = 'limited' LIMIT {MOST}) AS few "
        "GROUP BY limit_key ORDER BY 2 DESC, 1 LIMIT 20"
    )
    return [_limit(cursor, key, waiting) for key, waiting in cursor.fetchall()]


def _limit(cursor: Any, key: str, waiting: int) -> dict[str, Any]:
    cursor.execute(limits.PLACES, (key,))
    places = sum(count for _, count in cursor.fetchall())
    cursor.execute(limits.FIRST, (key,))
    first = cursor.fetchone()
    cursor.execute(limits.DUE_AT, (key,))
    due = cursor.fetchone()
    return limit_shown(key, waiting, places, first[0] if first else "", due[0] if due else None)


def _failures(cursor: Any, state: State) -> list[dict[str, Any]]:
    cursor.execute(
        f"SELECT id, path, finished_at, attempts, errors FROM {TASKS} WHERE state = '{state}' "
        f"AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT {_FAILURES}"
    )
    return [
        {
            "id": task_id,
            "path": path,
            "state": str(state),
            "finished_at": finished / MICROSECONDS,
            "attempts": attempts,
            "error": (json.loads(errors) or [["", ""]])[-1][0],
        }
        for task_id, path, finished, attempts, errors in cursor.fetchall()
    ]
