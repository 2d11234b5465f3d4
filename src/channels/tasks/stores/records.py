"""What a store is asked and what it answers."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, fields
from typing import Any, Final

from channels.diagnostics import delivery_log
from channels.tasks.definition.encoding import beside_of
from channels.tasks.definition.limits import Allowance
from channels.tasks.definition.states import Move
from channels.tasks.progress.reports import Report

#: How long the name of a worker is; part of a row's list of workers.
OWNER_LENGTH: Final = 22
MICROSECONDS: Final = 1_000_000
#: Recorded for a task whose worker was lost once too often: the path of the exception.
LOST_WORKER: Final = "channels.tasks.exceptions.WorkerLost"
#: Rows that are counted at most.
MOST: Final = 10_000


@dataclass(slots=True)
class TaskRecord:
    """A task as it is kept: one row.

    Times are microseconds since 1970, in UTC; None: not yet.

    Attributes:
        id: 32 hexadecimal digits, in the order in which a process has enqueued them.
        backend: the alias in the setting ``TASKS``.
        path: module and name of its function.
        lane: 0: its function is called in a thread; 1: it runs in the event loop.
        arguments: ``[args, kwargs]`` as JSON; behind them what travels beside the task, if anything does.
        attempts: how often it was started.
        losses: how many workers were lost while they ran it.
        owner: of the worker that runs it; "".
        owners: of each worker that has run it, one after the other, each with a space behind it.
        errors: a JSON list of pairs: the path of an exception's class, and its traceback.
        result: the return value, as JSON; None until it has succeeded.
        unique_key: no other task with this key may wait or run; None: any may.
        cancel_at: when it was asked to stop while it ran.
        viewer: the id of the user who may see how far it is; "": nobody.
        counts_for: the group of which it is one; "".
        waits_for: the group of which all have to end before it may run; "".
        needs_success: 1: it is cancelled if one of these has not succeeded.
        limit_key: of the limit that it shares with others; "".
        allowance: the limit, as :class:`~channels.tasks.definition.limits.Allowance` writes it; "".
    """

    id: str
    backend: str
    path: str
    queue: str
    priority: int
    lane: int
    state: str
    arguments: str
    enqueued_at: int
    run_at: int
    started_at: int | None = None
    last_attempted_at: int | None = None
    finished_at: int | None = None
    attempts: int = 0
    losses: int = 0
    owner: str = ""
    owners: str = ""
    errors: str = "[]"
    result: str | None = None
    unique_key: str | None = None
    cancel_at: int | None = None
    viewer: str = ""
    counts_for: str = ""
    waits_for: str = ""
    needs_success: int = 1
    limit_key: str = ""
    allowance: str = ""


#: The fields that are no text.
NUMBERS: Final = frozenset(field.name for field in fields(TaskRecord) if str(field.type).startswith("int"))


def note_task(record: TaskRecord, stage: str, detail: str) -> None:
    """Note what becomes of a task in the log of deliveries, where there is one, by its path and its id."""
    if delivery_log.note is not None:
        trace = beside_of(record.arguments).get("traceparent", "")[3:35]
        delivery_log.note("task", record.path, stage, 1, detail, record.id, trace=trace)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt has ended.

    Attributes:
        id: of the task.
        move: what becomes of it.
        errors: as the row shall have them.
        result: the return value as JSON, if it has succeeded.
        run_at: when it is tried again.
        report: for its viewer, if it has one.
        counts_for: the group that waits for it.
        limit_key: of its limit, of which a place may be free now.
    """

    id: str
    move: Move
    errors: str = "[]"
    result: str | None = None
    run_at: int = 0
    report: Report | None = None
    counts_for: str = ""
    limit_key: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker would take.

    Attributes:
        lane: see :class:`TaskRecord`.
        count: so many at most.
        recovered: of those that a worker was lost with, instead of those that are ready.
    """

    lane: int
    count: int
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """How a store is.

    Attributes:
        states: how many tasks there are in each state that does not last; at most 10,000.
        oldest_ready: seconds for which the first of the ready ones has waited; None: none does.
        workers: those that run tasks or have lately, each with what is known of it.
        schedules: when each has ticked last, in seconds since 1970.
        failures: the newest tasks that have failed.
        limits: keys for which tasks wait: how many do, how many run or are to start, what the limit is for
            the first that waits, and when that may start, in seconds since 1970, if it is known.
        queues: by name, seconds for which the first of its ready tasks has waited; only those that have one.
    """

    states: dict[str, int]
    oldest_ready: float | None
    workers: list[dict[str, Any]]
    schedules: dict[str, float]
    failures: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    queues: dict[str, float]


_last = 0
_lock = threading.Lock()


def new_id() -> str:
    """Return an id for a task: it begins with a time, later than that of any other id of this process."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1000)
        return f"{_last:014x}{secrets.token_hex(9)}"


def new_owner() -> str:
    """Return a name for a worker that no other has had."""
    return secrets.token_urlsafe(16)


def lost_error(losses: int) -> list[str]:
    """Return what is recorded of a task whose worker was lost once too often."""
    return [LOST_WORKER, f"Its worker was lost while it ran, {losses} times: it may be what ends them."]


def limit_shown(key: str, waiting: int, places: int, allowance: str, due: int | None) -> dict[str, Any]:
    """Return what an overview says of a limit for which tasks wait."""
    return {
        "key": key,
        "waiting": waiting,
        "places": places,
        "limit": str(Allowance.read(allowance)) if allowance else "",
        "due_at": due / MICROSECONDS if due is not None else None,
    }
