"""Who may run of those that wait for the key of a limit, by statements.

A place is not counted in a column: it is the state of a task, so that none is ever lost. Whoever lets tasks
run holds the row of their key, so that two do not fill the same place; nobody else holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from channels.tasks.definition.limits import Allowance
from channels.tasks.definition.states import Move
from channels.tasks.stores.dialects import Dialect
from channels.tasks.stores.records import TaskRecord
from channels.tasks.stores.statements import LIMITS, STARTS, TASKS, any_of, sources, target

#: Tasks that are looked at in one go.
_SOME: Final = 100

_HOLD: Final = f"UPDATE {LIMITS} SET due_at = NULL, used_at = %s WHERE id = %s"
_POSTPONE: Final = f"UPDATE {LIMITS} SET due_at = %s WHERE id = %s"
#: Tasks that are to start or run, and of these those that are to start.
_HAS_PLACE: Final = (
    f"FROM {TASKS} WHERE limit_key = %s AND limit_key <> '' AND state IN ('ready', 'recovered', 'running')"
)
PLACES: Final = f"SELECT state, COUNT(*) {_HAS_PLACE} GROUP BY state"
#: Those that run are noted with their start by now, or will be at once: each start is counted once.
BEGUN: Final = (
    f"SELECT started_at FROM (SELECT task, started_at FROM {STARTS} WHERE limit_key = %s AND started_at > %s "
    f"UNION SELECT id, last_attempted_at {_HAS_PLACE} AND state = 'running' AND last_attempted_at > %s) "
    "begun ORDER BY started_at"
)
_NOTE_START: Final = f"INSERT INTO {STARTS} (limit_key, task, started_at) VALUES (%s, %s, %s)"
_FORGET_START: Final = (
    f"DELETE FROM {STARTS} WHERE limit_key = %s AND task = %s "
    f"AND started_at = (SELECT last_attempted_at FROM {TASKS} WHERE id = %s)"
)
_FORGET_OLD: Final = f"DELETE FROM {STARTS} WHERE limit_key = %s AND started_at <= %s"
DUE: Final = f"SELECT id FROM {LIMITS} WHERE due_at <= %s ORDER BY due_at LIMIT 100"
#: For whoever looks: the limit of the first that waits, and when that may start.
FIRST: Final = (
    f"SELECT allowance FROM {TASKS} WHERE state = 'limited' AND limit_key = %s "
    "ORDER BY priority DESC, id LIMIT 1"
)
DUE_AT: Final = f"SELECT due_at FROM {LIMITS} WHERE id = %s"
NEXT_KEY: Final = f"SELECT MIN(limit_key) FROM {TASKS} WHERE state = 'limited' AND limit_key > %s"
_PRUNE: Final = (
    f"DELETE FROM {STARTS} WHERE started_at < %s",
    f"DELETE FROM {LIMITS} WHERE due_at IS NULL AND used_at < %s",
)


@cache
def waiting(dialect: Dialect) -> str:
    """Return how those are chosen that wait for a key, in their order."""
    return (
        f"SELECT id, allowance FROM {TASKS} WHERE state = 'limited' AND limit_key = %s "
        f"ORDER BY priority DESC, id LIMIT {_SOME}{dialect.lock}"
    )


def admit(cursor: Any, dialect: Dialect, keys: Iterable[str], now: int) -> int:
    """Let those run that wait for some keys, as far as these have places; returns how many.

    Args:
        cursor: within a transaction.
        dialect: of the database.
        keys: of limits.
        now: the time in microseconds.
    """
    admitted = 0
    for key in sorted(keys):  # in one order, so that two do not wait for each other
        _hold(cursor, dialect, key, now)
        while some := _admit_some(cursor, dialect, key, now):
            admitted += some
            if some < _SOME:
                break
    return admitted


def _hold(cursor: Any, dialect: Dialect, key: str, now: int) -> None:
    """Hold the row of a key until the end of the transaction."""
    cursor.execute(_HOLD, (now, key))
    if cursor.rowcount == 0:
        columns = f"{dialect.insert} {LIMITS} (id, used_at) VALUES (%s, %s){dialect.conflict}"
        cursor.execute(columns, (key, now))
        cursor.execute(_HOLD, (now, key))


def _admit_some(cursor: Any, dialect: Dialect, key: str, now: int) -> int:
    cursor.execute(waiting(dialect), (key,))
    candidates = cursor.fetchall()
    if not candidates:
        return 0
    cursor.execute(PLACES, (key,))
    places = dict(cursor.fetchall())
    taken, pending = sum(places.values()), sum(places.values()) - places.get("running", 0)
    chosen: list[str] = []
    for task_id, text in candidates:
        allowance = Allowance.read(text)
        if allowance.most is not None and taken + len(chosen) >= allowance.most:
            break
        due = _late_until(cursor, key, allowance, pending + len(chosen), now)
        if due is not None:
            cursor.execute(_POSTPONE, (due, key))
            break
        chosen.append(task_id)
    if chosen:
        change = f"UPDATE {TASKS} SET state = {target(Move.ADMIT)} WHERE {sources(Move.ADMIT)}"
        cursor.execute(f"{change} AND {any_of(len(chosen))}", chosen)
    return len(chosen)


def _late_until(cursor: Any, key: str, allowance: Allowance, pending: int, now: int) -> int | None:
    """Return when one more of a key may start, in microseconds; None: now.

    Args:
        cursor: within a transaction.
        key: of the limit.
        allowance: of the task.
        pending: how many are to start, and have not.
        now: the time.
    """
    if allowance.count is None:
        return None
    since = now - allowance.period
    cursor.execute(BEGUN, (key, since, key, since))
    begun = [row[0] for row in cursor.fetchall()]
    beyond = len(begun) + pending - allowance.count
    if beyond < 0:
        return None
    return int(begun[beyond] if beyond < len(begun) else now) + allowance.period


def note_starts(cursor: Any, records: Sequence[TaskRecord], now: int) -> None:
    """Note when tasks have started, of whose keys so many start in a time."""
    for record in records:
        if record.allowance and (allowance := Allowance.read(record.allowance)).count is not None:
            cursor.execute(_FORGET_OLD, (record.limit_key, now - allowance.period))
            cursor.execute(_NOTE_START, (record.limit_key, record.id, record.last_attempted_at))


def forget_start(cursor: Any, key: str, task_id: str) -> None:
    """Forget that a task has started, which is given back before it has."""
    cursor.execute(_FORGET_START, (key, task_id, task_id))


def keys_after(cursor: Any, key: str, most: int) -> list[str]:
    """Return keys for which tasks wait, in their order, after one; each is one step in an index."""
    found: list[str] = []
    while len(found) < most:
        cursor.execute(NEXT_KEY, (found[-1] if found else key,))
        (following,) = cursor.fetchone()
        if following is None:
            break
        found.append(following)
    return found


def seems_forgotten(cursor: Any, key: str) -> bool:
    """Whether it looks as if somebody who waits for a key had a place; it only reads."""
    cursor.execute(FIRST, (key,))
    first = cursor.fetchone()
    cursor.execute(DUE_AT, (key,))
    due = cursor.fetchone()
    if first is None or (due is not None and due[0] is not None):
        return False
    cursor.execute(PLACES, (key,))
    taken = sum(count for _, count in cursor.fetchall())
    most = Allowance.read(first[0]).most
    return most is None or taken < most


def prune(cursor: Any, starts_before: int, limits_before: int) -> None:
    """Forget starts, and keys that nobody has asked for, since some times."""
    for statement, before in zip(_PRUNE, (starts_before, limits_before), strict=True):
        cursor.execute(statement, (before,))
