"""What scripts say of a store at a glance."""

from __future__ import annotations

import json
from typing import Any, Final

from channels.tasks.definition.states import State
from channels.tasks.stores.records import MICROSECONDS, Overview, limit_shown

FAILED: Final = (State.FAILED, State.DEAD)
#: In the order in which the script counts them.
_OPEN: Final = (State.READY, State.SCHEDULED, State.RECOVERED, State.RUNNING, State.LIMITED)
_FAILURES: Final = 10
_LIMITS: Final = 20


def overview_of(found: list[Any], failures: list[dict[str, Any]], now: int) -> Overview:
    """Return what the script ``overview`` has found, with tasks that have failed."""
    *counts, oldest, workers, ticks, limits, queues = found
    pairs, due = iter(ticks), iter(queues)
    return Overview(
        states={str(state): count for state, count in zip(_OPEN, counts, strict=True)},
        oldest_ready=(now - int(oldest)) / MICROSECONDS if oldest else None,
        workers=[_worker(*each) for each in workers],
        schedules=dict(
            sorted((name.decode(), int(at) / MICROSECONDS) for name, at in zip(pairs, pairs, strict=True))
        ),
        failures=sorted(failures, key=lambda each: -each["finished_at"])[:_FAILURES],
        limits=sorted(map(_limit, limits), key=lambda each: (-each["waiting"], each["key"]))[:_LIMITS],
        queues=dict(
            sorted(
                (name.decode(), max(0, now - int(first)) / MICROSECONDS)
                for name, first in zip(due, due, strict=True)
            )
        ),
    )


def _limit(found: list[Any]) -> dict[str, Any]:
    key, waiting, places, allowance, due = found
    return limit_shown(key.decode(), waiting, places, allowance.decode(), int(due) if due else None)


def _worker(owner: bytes, beats: bytes, about: bytes, seen: bytes, running: int) -> dict[str, Any]:
    facts = {"id": owner.decode(), "beats": int(beats), "seen_at": int(seen) / MICROSECONDS}
    return {**facts, "running": running, **json.loads(about)}


def failure_of(state: State, found: list[Any]) -> dict[str, Any]:
    """Return a task that has failed, as an overview has it."""
    task_id, (path, finished, attempts, errors) = found
    return {
        "id": task_id.decode(),
        "path": path.decode(),
        "state": str(state),
        "finished_at": int(finished) / MICROSECONDS,
        "attempts": int(attempts or 0),
        "error": (json.loads(errors or "[]") or [["", ""]])[-1][0],
    }
