"""A store by statements: what any database of ours has in common."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from channels import telemetry
from channels.tasks.definition.limits import LONGEST_PERIOD
from channels.tasks.definition.states import FINISHED, MOVES, Move, State
from channels.tasks.stores import limits, overview, statements
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.dialects import Dialect
from channels.tasks.stores.records import MICROSECONDS, Claim, Outcome, Overview, TaskRecord, lost_error

#: Keys of limits that are looked at anew by one review.
_REVIEWED = 50


class SQLStore(TaskStore):
    """Tasks and workers in two tables.

    Args:
        dialect: of the database.

    Attributes:
        dialect: as above.
    """

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self._reviewed = ""

    @abstractmethod
    def cursor(self) -> AbstractContextManager[Any]:
        """Return a cursor; what it does is part of the caller's transaction, if there is one."""

    def after_commit(self, call: Callable[[], object]) -> None:
        """Call something when what is open is committed; at once, if nothing is."""
        call()

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """Return a cursor within a transaction."""

    def add(self, records: Sequence[TaskRecord]) -> None:
        """See :class:`TaskStore`."""
        statement = statements.insert(self.dialect, unique=False)
        if not records:
            return
        with self.cursor() if len(records) == 1 else self.transaction() as cursor:
            _run_many(cursor, statement, [_row(record) for record in records])

    def add_unique(self, record: TaskRecord) -> TaskRecord:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            while True:
                cursor.execute(statements.insert(self.dialect, unique=True), _row(record))
                cursor.execute(statements.BY_UNIQUE_KEY, (record.unique_key,))
                if (row := cursor.fetchone()) is not None:
                    return TaskRecord(*row)

    def last_tick(self, name: str) -> int:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.LAST_TICK, (name,))
            row = cursor.fetchone()
            if row is None:
                cursor.execute(statements.first_tick(self.dialect), (name, self.now()))
                cursor.execute(statements.LAST_TICK, (name,))
                row = cursor.fetchone()
        return int(row[0])

    def tick(self, name: str, last: int, newest: int, records: Sequence[TaskRecord]) -> bool:
        """See :class:`TaskStore`."""
        with self.transaction() as cursor:
            cursor.execute(statements.TICK, (newest, name, last))
            if cursor.rowcount != 1:
                return False
            for record in records:
                unique = record.unique_key is not None
                cursor.execute(statements.insert(self.dialect, unique=unique), _row(record))
        return True

    def get(self, task_id: str) -> TaskRecord | None:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.GET, (task_id,))
            row = cursor.fetchone()
        return TaskRecord(*row) if row is not None else None

    def turn(
        self,
        owner: str,
        outcomes: Sequence[Outcome],
        claims: Sequence[Claim],
        backend: str,
        queues: tuple[str, ...],
    ) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        alone = not outcomes and len(claims) == 1 and self.dialect.returning
        with self.cursor() if alone else self.transaction() as cursor:
            self._end(cursor, owner, outcomes)
            taken = [
                record for claim in claims for record in self._claim(cursor, owner, claim, backend, queues)
            ]
            limits.note_starts(cursor, [record for record in taken if record.allowance], self.now())
        return sorted(taken, key=lambda record: (-record.priority, record.id))

    def _end(self, cursor: Any, owner: str, outcomes: Sequence[Outcome]) -> None:
        by_move: dict[Move, list[tuple[Any, ...]]] = defaultdict(list)
        now = self.now()
        for outcome in outcomes:
            if outcome.limit_key and outcome.move is Move.RELEASE:
                limits.forget_start(cursor, outcome.limit_key, outcome.id)
            statement, names = statements.ENDS[outcome.move]
            values = [now if name == "now" else getattr(outcome, name) for name in names]
            row = (*values, outcome.id, owner)
            if outcome.counts_for and MOVES[outcome.move][1] in FINISHED:
                cursor.execute(statement, row)
                if cursor.rowcount == 1:
                    self._count_down(cursor, outcome.counts_for, failed=outcome.move is not Move.SUCCEED)
            else:
                by_move[outcome.move].append(row)
        for move, rows in by_move.items():
            _run_many(cursor, statements.ENDS[move][0], rows)
            missing = len(rows) - cursor.rowcount
            if missing > 0:
                telemetry.count("tasks.outcome_refused", missing, reason=f"taken over before: {move}")
        limits.admit(cursor, self.dialect, {each.limit_key for each in outcomes if each.limit_key}, now)

    def _count_down(self, cursor: Any, group: str, *, failed: bool) -> None:
        """Note that one of a group has ended; after the last one let run, or cancel, what waits for them."""
        cursor.execute(statements.COUNT_DOWN, (int(failed), group))
        cursor.execute(statements.GROUP, (group,))
        row = cursor.fetchone()
        if row is None or row[0] > 0:
            return
        cursor.execute(statements.DELETE_GROUP, (group,))
        cursor.execute(statements.UNBLOCK, (self.now(), group, int(row[1] == 0)))
        cursor.execute(statements.IN_VAIN, (group,))
        for task_id, counts_for in cursor.fetchall():
            cursor.execute(statements.CANCEL, (self.now(), task_id))
            if counts_for:
                self._count_down(cursor, counts_for, failed=True)

    def add_groups(self, sizes: Mapping[str, int], records: Sequence[TaskRecord]) -> None:
        """See :class:`TaskStore`."""
        with self.transaction() as cursor:
            _run_many(cursor, statements.ADD_GROUP, list(sizes.items()))
            _run_many(cursor, statements.insert(self.dialect, unique=False), [_row(each) for each in records])

    def of_group(self, group: str) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.OF_GROUP, (group,))
            return [TaskRecord(*row) for row in cursor.fetchall()]

    def _claim(
        self, cursor: Any, owner: str, claim: Claim, backend: str, queues: tuple[str, ...]
    ) -> list[TaskRecord]:
        state = State.RECOVERED if claim.recovered else State.READY
        choice = statements.choose(self.dialect, state, len(queues))
        chosen = (backend, claim.lane, *queues, claim.count)
        now = self.now()
        if self.dialect.returning:
            statement = statements.claim(self.dialect, self.dialect.among.format(choice))
            cursor.execute(statement, (owner, f"{owner} ", now, now, *chosen))
            return [TaskRecord(*row) for row in cursor.fetchall()]
        cursor.execute(choice, chosen)
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return []
        among = statements.any_of(len(ids))
        cursor.execute(statements.claim(self.dialect, among), (owner, f"{owner} ", now, now, *ids))
        cursor.execute(f"SELECT {', '.join(statements.COLUMNS)} FROM {statements.TASKS} WHERE {among}", ids)
        return [TaskRecord(*row) for row in cursor.fetchall()]

    def has_work(self, backend: str) -> bool:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.HAS_WORK, (backend, backend))
            return cursor.fetchone() is not None

    def promote(self) -> tuple[bool, int | None]:
        """See :class:`TaskStore`."""
        promoted = False
        while True:
            with self.cursor() as cursor:
                cursor.execute(statements.NEXT_DUE)
                row = cursor.fetchone()
            due = min((int(at) for at in row if at is not None), default=None)
            if due is None or due > self.now():
                return promoted, due
            self._promote_some()
            promoted = True

    def _promote_some(self) -> None:
        choice, change = statements.promote(self.dialect)
        with self.transaction() as cursor:
            cursor.execute(choice, (self.now(),))
            found = cursor.fetchall()
            for some in _slices([task_id for task_id, _ in found]):
                cursor.execute(f"{change} AND {statements.any_of(len(some))}", some)
            cursor.execute(limits.DUE, (self.now(),))
            keys = {row[0] for row in cursor.fetchall()} | {key for _, key in found if key}
            limits.admit(cursor, self.dialect, keys, self.now())

    def join(self, owner: str, about: str) -> None:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.INSERT_WORKER, (owner, about, self.now()))

    def beat(self, owner: str) -> bool:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.BEAT, (self.now(), owner))
            return bool(cursor.rowcount == 1)

    def leave(self, owner: str) -> None:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.DELETE_WORKER, (owner,))

    def owners(self) -> dict[str, int]:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.OWNERS)
            return dict(cursor.fetchall())

    def recover(self, owner: str, beats: int, max_losses: int) -> tuple[int, list[str]]:
        """See :class:`TaskStore`."""
        with self.transaction() as cursor:
            silent_worker, lost_tasks = statements.lost(self.dialect)
            if beats >= 0:
                cursor.execute(silent_worker, (owner, beats))
                if cursor.fetchone() is None:
                    return 0, []
                cursor.execute(statements.DELETE_WORKER, (owner,))
            cursor.execute(lost_tasks, (owner,))
            lost = cursor.fetchall()
            again = [(task_id, owner) for task_id, losses, *_ in lost if losses + 1 < max_losses]
            buried = [row for row in lost if row[1] + 1 >= max_losses]
            dead = [
                (self.now(), _with_loss(errors, max_losses), task_id, owner)
                for task_id, _, errors, *_ in buried
            ]
            _run_many(cursor, statements.RECOVER, again)
            _run_many(cursor, statements.BURY, dead)
            for *_, counts_for, _ in buried:
                if counts_for:
                    self._count_down(cursor, counts_for, failed=True)
            limits.admit(cursor, self.dialect, {key for *_, key in buried if key}, self.now())
        if dead:
            telemetry.count("tasks.dead", len(dead), reason="its workers were lost")
        return len(again), [row[2] for row in dead]

    def held(self, owner: str) -> dict[str, bool]:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.HELD, (owner,))
            return {task_id: cancel_at is not None for task_id, cancel_at in cursor.fetchall()}

    def cancel(self, task_id: str) -> State | None:
        """See :class:`TaskStore`."""
        with self.transaction() as cursor:
            cursor.execute(statements.CANCEL, (self.now(), task_id))
            if cursor.rowcount != 1:
                cursor.execute(statements.ASK_TO_STOP, (self.now(), task_id))
                return State.RUNNING if cursor.rowcount == 1 else None
            cursor.execute(statements.COUNTS_FOR, (task_id,))
            group, key = cursor.fetchone()
            if group:
                self._count_down(cursor, group, failed=True)
        if key:  # who waits for its place waits for the commit, not for a lock until then
            self.after_commit(partial(self._admit, [key]))
        return State.CANCELLED

    def revive(self, task_id: str) -> bool:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.REVIVE, (self.now(), task_id))
            return bool(cursor.rowcount == 1)

    def prune(self, states: tuple[State, ...], before: int) -> int:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.prune(states), (before,))
            ids = [row[0] for row in cursor.fetchall()]
            for some in _slices(ids):
                cursor.execute(f"DELETE FROM {statements.TASKS} WHERE {statements.any_of(len(some))}", some)
        return len(ids)

    def review(self) -> bool:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            keys = limits.keys_after(cursor, self._reviewed, _REVIEWED)
            forgotten = [key for key in keys if limits.seems_forgotten(cursor, key)]
        self._reviewed = keys[-1] if len(keys) == _REVIEWED else ""
        return self._admit(forgotten) > 0

    def _admit(self, keys: Sequence[str]) -> int:
        """Let those run that wait for some keys, each by a short transaction; returns how many."""
        admitted = 0
        for key in keys:
            with self.transaction() as cursor:
                admitted += limits.admit(cursor, self.dialect, [key], self.now())
        return admitted

    def prune_workers(self, before: int) -> None:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            limits.prune(cursor, self.now() - LONGEST_PERIOD * MICROSECONDS, before)
        with self.cursor() as cursor:
            cursor.execute(statements.DELETE_OLD_WORKERS, (before,))

    def overview(self) -> Overview:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            return overview.overview(cursor, self.now())

    def listing(self, state: State, most: int) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            cursor.execute(statements.LISTING, (str(state), most))
            return [TaskRecord(*row) for row in cursor.fetchall()]

    def failed_ids(self, path: str, limit: int) -> list[str]:
        """See :class:`TaskStore`."""
        with self.cursor() as cursor:
            return overview.failed_ids(cursor, path, limit)


def _row(record: TaskRecord) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in statements.COLUMNS)


def _run_many(cursor: Any, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if len(rows) == 1:
        cursor.execute(statement, rows[0])
    elif rows:
        cursor.executemany(statement, rows)


def _slices(ids: list[str]) -> list[list[str]]:
    """Cut a list for statements, which take some hundreds of parameters in any database."""
    return [ids[start : start + 500] for start in range(0, len(ids), 500)]


def _with_loss(errors: str, losses: int) -> str:
    return json.dumps([*json.loads(errors), lost_error(losses)])
