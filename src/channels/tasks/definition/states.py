"""The states of a task and the moves between them, as one table that statements are made from."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from channels.tasks.definition.contract import TaskResultStatus


class State(StrEnum):
    """Where a task is in its life."""

    READY = "ready"
    SCHEDULED = "scheduled"
    BLOCKED = "blocked"
    LIMITED = "limited"
    RECOVERED = "recovered"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What takes a task from one state to another."""

    PROMOTE = "promote"  # its time has come; one with a limit waits for its key then
    ADMIT = "admit"  # the key of its limit has a place for it
    UNBLOCK = "unblock"  # what it waited for has ended
    CLAIM = "claim"  # a worker takes it
    RELEASE = "release"  # that worker gives it back before it has started it
    GIVE_BACK = "give back"  # that worker stops before the task has ended
    RECOVER = "recover"  # that worker is gone
    BURY = "bury"  # that worker is gone, and it is not the first
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"
    STOP = "stop"  # a running one heeds that it is cancelled
    REVIVE = "revive"  # somebody asks for it again


#: From where to where.
MOVES: Final[dict[Move, tuple[frozenset[State], State]]] = {
    Move.PROMOTE: (frozenset({State.SCHEDULED}), State.READY),
    Move.ADMIT: (frozenset({State.LIMITED}), State.READY),
    Move.UNBLOCK: (frozenset({State.BLOCKED}), State.READY),
    Move.CLAIM: (frozenset({State.READY, State.RECOVERED}), State.RUNNING),
    Move.RELEASE: (frozenset({State.RUNNING}), State.READY),
    Move.GIVE_BACK: (frozenset({State.RUNNING}), State.READY),
    Move.RECOVER: (frozenset({State.RUNNING}), State.RECOVERED),
    Move.BURY: (frozenset({State.RUNNING}), State.DEAD),
    Move.SUCCEED: (frozenset({State.RUNNING}), State.SUCCEEDED),
    Move.RETRY: (frozenset({State.RUNNING}), State.SCHEDULED),
    Move.FAIL: (frozenset({State.RUNNING}), State.FAILED),
    Move.CANCEL: (
        frozenset({State.READY, State.SCHEDULED, State.BLOCKED, State.LIMITED, State.RECOVERED}),
        State.CANCELLED,
    ),
    Move.STOP: (frozenset({State.RUNNING}), State.CANCELLED),
    Move.REVIVE: (frozenset({State.FAILED, State.DEAD, State.CANCELLED}), State.READY),
}

#: What ``django.tasks`` calls each.
STATUS: Final[dict[State, TaskResultStatus]] = {
    State.READY: TaskResultStatus.READY,
    State.SCHEDULED: TaskResultStatus.READY,
    State.BLOCKED: TaskResultStatus.READY,
    State.LIMITED: TaskResultStatus.READY,
    State.RECOVERED: TaskResultStatus.READY,
    State.RUNNING: TaskResultStatus.RUNNING,
    State.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    State.FAILED: TaskResultStatus.FAILED,
    State.DEAD: TaskResultStatus.FAILED,
    State.CANCELLED: TaskResultStatus.FAILED,
}

#: Those that a task stays in.
FINISHED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.DEAD, State.CANCELLED})
