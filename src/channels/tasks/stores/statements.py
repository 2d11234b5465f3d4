"""The statements of a store, made once for its dialect from the table of moves."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Final

from channels.tasks.definition.states import MOVES, Move, State
from channels.tasks.stores.dialects import Dialect
from channels.tasks.stores.records import OWNER_LENGTH, TaskRecord

TASKS: Final = "channels_tasks_task"
WORKERS: Final = "channels_tasks_worker"
GROUPS: Final = "channels_tasks_group"
TICKS: Final = "channels_tasks_tick"
LIMITS: Final = "channels_tasks_limit"
STARTS: Final = "channels_tasks_start"
COLUMNS: Final = tuple(field.name for field in dataclasses.fields(TaskRecord))
_LISTED: Final = ", ".join(COLUMNS)
#: One that a worker was lost with is claimed apart, so that it does not take others with it again.
_READY: Final = f"CASE WHEN losses > 0 THEN '{State.RECOVERED}' ELSE '{State.READY}' END"
_MINE: Final = " WHERE id = %s AND owner = %s AND state = 'running'"

INSERT_WORKER: Final = f"INSERT INTO {WORKERS} (id, beats, about, seen_at) VALUES (%s, 0, %s, %s)"
BEAT: Final = f"UPDATE {WORKERS} SET beats = beats + 1, seen_at = %s WHERE id = %s"
DELETE_WORKER: Final = f"DELETE FROM {WORKERS} WHERE id = %s"
DELETE_OLD_WORKERS: Final = (
    f"DELETE FROM {WORKERS} WHERE seen_at < %s "
    f"AND id NOT IN (SELECT owner FROM {TASKS} WHERE state = 'running')"
)
OWNERS: Final = (
    f"SELECT DISTINCT t.owner, COALESCE(w.beats, -1) FROM {TASKS} t LEFT JOIN {WORKERS} w ON w.id = t.owner "
    "WHERE t.state = 'running'"
)
ADD_GROUP: Final = f"INSERT INTO {GROUPS} (id, remaining, failed) VALUES (%s, %s, 0)"
COUNT_DOWN: Final = f"UPDATE {GROUPS} SET remaining = remaining - 1, failed = failed + %s WHERE id = %s"
GROUP: Final = f"SELECT remaining, failed FROM {GROUPS} WHERE id = %s"
DELETE_GROUP: Final = f"DELETE FROM {GROUPS} WHERE id = %s"
IN_VAIN: Final = (
    f"SELECT id, counts_for FROM {TASKS} WHERE waits_for = %s AND state = 'blocked' AND needs_success = 1"
)
OF_GROUP: Final = f"SELECT {_LISTED} FROM {TASKS} WHERE counts_for = %s ORDER BY id"
COUNTS_FOR: Final = f"SELECT counts_for, limit_key FROM {TASKS} WHERE id = %s"
LAST_TICK: Final = f"SELECT ticked_at FROM {TICKS} WHERE name = %s"
TICK: Final = f"UPDATE {TICKS} SET ticked_at = %s WHERE name = %s AND ticked_at = %s"
GET: Final = f"SELECT {_LISTED} FROM {TASKS} WHERE id = %s"
LISTING: Final = f"SELECT {_LISTED} FROM {TASKS} WHERE state = %s ORDER BY id DESC LIMIT %s"
BY_UNIQUE_KEY: Final = f"SELECT {_LISTED} FROM {TASKS} WHERE unique_key = %s"
HELD: Final = f"SELECT id, cancel_at FROM {TASKS} WHERE owner = %s AND state = 'running'"
NEXT_DUE: Final = (
    f"SELECT (SELECT run_at FROM {TASKS} WHERE state = 'scheduled' ORDER BY run_at LIMIT 1), "
    f"(SELECT due_at FROM {LIMITS} WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1)"
)
#: In the order of an index: else PostgreSQL would expect to meet a row soon, and read all that have ended.
_FIRST: Final = (
    f"SELECT 1 FROM (SELECT id FROM {TASKS} WHERE state = '{{}}' AND backend = %s "
    "ORDER BY lane, priority DESC, id LIMIT 1) AS {}"
)
HAS_WORK: Final = f"{_FIRST.format('ready', 'one')} UNION ALL {_FIRST.format('recovered', 'another')}"
ASK_TO_STOP: Final = f"UPDATE {TASKS} SET cancel_at = %s WHERE id = %s AND state = 'running'"


def target(move: Move) -> str:
    """Return the expression of the state that a move leads to."""
    state = MOVES[move][1]
    if move is Move.PROMOTE:
        return f"CASE WHEN limit_key <> '' THEN '{State.LIMITED}' ELSE ({_READY}) END"
    return _READY if state is State.READY else f"'{state}'"


def sources(move: Move) -> str:
    """Return the condition that a task is in a state from which a move leads away."""
    return f"state IN ({', '.join(sorted(map(repr, map(str, MOVES[move][0]))))})"


#: Ends of attempts, each with the parameters that its statement takes of an outcome.
ENDS: Final[dict[Move, tuple[str, tuple[str, ...]]]] = {
    **{
        move: (
            f"UPDATE {TASKS} SET state = {target(move)}, owner = '', unique_key = NULL, finished_at = %s, "
            f"errors = %s, result = %s{_MINE}",
            ("now", "errors", "result"),
        )
        for move in (Move.SUCCEED, Move.FAIL, Move.STOP)
    },
    Move.RETRY: (
        f"UPDATE {TASKS} SET state = {target(Move.RETRY)}, owner = '', errors = %s, run_at = %s{_MINE}",
        ("errors", "run_at"),
    ),
    Move.GIVE_BACK: (f"UPDATE {TASKS} SET state = {target(Move.GIVE_BACK)}, owner = ''{_MINE}", ()),
    Move.RELEASE: (
        f"UPDATE {TASKS} SET state = {target(Move.RELEASE)}, owner = '', attempts = attempts - 1, "
        f"owners = SUBSTR(owners, 1, LENGTH(owners) - {OWNER_LENGTH + 1}){_MINE}",
        (),
    ),
}

UNBLOCK: Final = (
    f"UPDATE {TASKS} SET state = CASE WHEN run_at > %s OR limit_key <> '' THEN 'scheduled' "
    f"ELSE {target(Move.UNBLOCK)} END "
    f"WHERE waits_for = %s AND {sources(Move.UNBLOCK)} AND needs_success <= %s"
)
RECOVER: Final = f"UPDATE {TASKS} SET state = {target(Move.RECOVER)}, owner = '', losses = losses + 1{_MINE}"
BURY: Final = (
    f"UPDATE {TASKS} SET state = {target(Move.BURY)}, owner = '', losses = losses + 1, unique_key = NULL, "
    f"finished_at = %s, errors = %s{_MINE}"
)
CANCEL: Final = (
    f"UPDATE {TASKS} SET state = {target(Move.CANCEL)}, unique_key = NULL, finished_at = %s "
    f"WHERE id = %s AND {sources(Move.CANCEL)}"
)
REVIVE: Final = (
    f"UPDATE {TASKS} SET state = CASE WHEN limit_key <> '' THEN 'scheduled' ELSE 'ready' END, "
    f"losses = 0, finished_at = NULL, cancel_at = NULL, run_at = %s "
    f"WHERE id = %s AND {sources(Move.REVIVE)}"
)


@cache
def insert(dialect: Dialect, *, unique: bool) -> str:
    """Return how a task is written; with a unique key only if no other has it."""
    begin = dialect.insert if unique else "INSERT INTO"
    values = ", ".join(["%s"] * len(COLUMNS))
    return f"{begin} {TASKS} ({_LISTED}) VALUES ({values}){dialect.conflict if unique else ''}"


@cache
def first_tick(dialect: Dialect) -> str:
    """Return how a schedule is noted that nobody has noted yet."""
    conflict = dialect.conflict.replace("id = id", "name = name")
    return f"{dialect.insert} {TICKS} (name, ticked_at) VALUES (%s, %s){conflict}"


@cache
def choose(dialect: Dialect, state: State, queues: int) -> str:
    """Return how the next tasks are chosen: takes backend, lane, the queues, and how many."""
    of_queues = f" AND queue IN ({', '.join(['%s'] * queues)})" if queues else ""
    return (
        f"SELECT id FROM {TASKS} WHERE state = '{state}' AND backend = %s AND lane = %s{of_queues} "
        f"ORDER BY priority DESC, id LIMIT %s{dialect.lock}"
    )


@cache
def claim(dialect: Dialect, among: str) -> str:
    """Return how chosen tasks are taken: takes owner, that with a space, and the time twice."""
    owners = dialect.concatenation.format("owners", "%s")
    returned = f" RETURNING {_LISTED}" if dialect.returning else ""
    return (
        f"UPDATE {TASKS} SET state = 'running', owner = %s, owners = {owners}, attempts = attempts + 1, "
        f"last_attempted_at = %s, started_at = COALESCE(started_at, %s) WHERE {among}{returned}"
    )


@cache
def lost(dialect: Dialect) -> tuple[str, str]:
    """Return how a worker that has not beaten is chosen, and its tasks.

    What is locked is passed over: a process that is frozen amid a transaction would hold up whoever waits.
    """
    worker = f"SELECT id FROM {WORKERS} WHERE id = %s AND beats = %s{dialect.lock}"
    return (
        worker,
        f"SELECT id, losses, errors, counts_for, limit_key FROM {TASKS} "
        f"WHERE owner = %s AND state = 'running'{dialect.lock}",
    )


@cache
def promote(dialect: Dialect) -> tuple[str, str]:
    """Return how tasks that are due are chosen, and made ready."""
    due = (
        f"SELECT id, limit_key FROM {TASKS} WHERE state = 'scheduled' AND run_at <= %s "
        "ORDER BY run_at LIMIT 1000"
    )
    return (
        f"{due}{dialect.lock}",
        f"UPDATE {TASKS} SET state = {target(Move.PROMOTE)} WHERE {sources(Move.PROMOTE)}",
    )


@cache
def prune(states: tuple[State, ...]) -> str:
    """Return how tasks that have ended are chosen that need not be kept."""
    listed = ", ".join(f"'{state}'" for state in states)
    return f"SELECT id FROM {TASKS} WHERE finished_at < %s AND state IN ({listed}) LIMIT 1000"


def any_of(count: int) -> str:
    """Return a condition on ``id`` that takes so many of them."""
    return f"id IN ({', '.join(['%s'] * count)})"
