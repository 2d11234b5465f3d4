"""What a store of tasks does, whatever it is made of."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from channels.tasks.definition.states import State
from channels.tasks.stores.records import MICROSECONDS, Claim, Outcome, Overview, TaskRecord
from channels.wakeups import Listener
from channels.wakeups.listeners import listeners

#: In place of a database: what is kept in memory concerns this process only.
_HERE = ""


class Closable(Protocol):
    """Something that is open until it is closed."""

    def close(self) -> None:
        """End it."""


def work_of(backend: str) -> str:
    """Return under which name workers of a backend are told that there is work."""
    return f"tasks:{backend}"


def changes_of(backend: str) -> str:
    """Return under which name they are told that something has changed about what they run."""
    return f"tasks:{backend}:changes"


class TaskStore(ABC):
    """Tasks, and the workers that run them.

    Attributes:
        using: the alias of the database of the project's in whose transactions it writes; None: in none.
        clock: returns the time, in seconds since 1970; a test may replace it.
    """

    using: str | None = None

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.time

    def now(self) -> int:
        """Return the time in microseconds."""
        return int(self.clock() * MICROSECONDS)

    def tell(self, backend: str) -> None:
        """Tell workers of a backend that there is work, when what is open on its database is committed."""
        listeners.wake(work_of(backend), _HERE)

    def tell_all(self, backend: str) -> None:
        """Tell every worker that something has changed about what it runs."""
        listeners.wake(changes_of(backend), _HERE)

    def hear(self, backend: str, work: Callable[[], None], changes: Callable[[], None]) -> Sequence[Closable]:
        """Call ``work()`` when there is work, and ``changes()`` when something has changed about what runs.

        Both are called in any thread. Closing what is returned ends that.
        """
        found = [Listener(work_of(backend), _HERE, work), Listener(changes_of(backend), _HERE, changes)]
        for listener in found:
            listeners.add(listener)
        return found

    def close(self) -> None:  # noqa: B027 - a store need not have any
        """Close the connections of this thread; new ones are made when they are needed again."""

    @abstractmethod
    def add(self, records: Sequence[TaskRecord]) -> None:
        """Write tasks without a unique key."""

    @abstractmethod
    def add_unique(self, record: TaskRecord) -> TaskRecord:
        """Write a task with a unique key, unless there is another; returns the one there is."""

    @abstractmethod
    def add_groups(self, sizes: Mapping[str, int], records: Sequence[TaskRecord]) -> None:
        """Write tasks that wait for each other, all or none.

        Args:
            sizes: of each group of tasks that others wait for.
            records: the tasks.
        """

    @abstractmethod
    def get(self, task_id: str) -> TaskRecord | None:
        """Return a task, or None."""

    @abstractmethod
    def of_group(self, group: str) -> list[TaskRecord]:
        """Return the tasks of a group, in the order in which they were enqueued."""

    @abstractmethod
    def last_tick(self, name: str) -> int:
        """Return when a schedule has ticked last, in microseconds; now, if it is new."""

    @abstractmethod
    def tick(self, name: str, last: int, newest: int, records: Sequence[TaskRecord]) -> bool:
        """Write the tasks of a schedule's ticks, if nobody else has; returns whether it did.

        Args:
            name: of the schedule.
            last: when it had ticked last.
            newest: when it has now.
            records: the tasks.
        """

    @abstractmethod
    def turn(
        self,
        owner: str,
        outcomes: Sequence[Outcome],
        claims: Sequence[Claim],
        backend: str,
        queues: tuple[str, ...],
    ) -> list[TaskRecord]:
        """Write how attempts have ended, and take other tasks, both or neither.

        Args:
            owner: of the worker. What it does not own any more is left as it is.
            outcomes: of its attempts.
            claims: what it would take.
            backend: whose tasks.
            queues: of which queues; none: of all.

        Returns:
            What it has taken, the most important first.
        """

    @abstractmethod
    def has_work(self, backend: str) -> bool:
        """Whether a task is ready, of any queue; it only reads."""

    @abstractmethod
    def promote(self) -> tuple[bool, int | None]:
        """Make ready what is due.

        Returns:
            Whether there was something, and when the next is due, in microseconds, or None.
        """

    @abstractmethod
    def join(self, owner: str, about: str) -> None:
        """Note a worker."""

    @abstractmethod
    def beat(self, owner: str) -> bool:
        """Say that a worker is alive; returns whether nobody has taken it for dead."""

    @abstractmethod
    def leave(self, owner: str) -> None:
        """Forget a worker that has ended."""

    @abstractmethod
    def owners(self) -> dict[str, int]:
        """Return the workers that run tasks, each with the number of its beats; -1: it is not known."""

    @abstractmethod
    def recover(self, owner: str, beats: int, max_losses: int) -> tuple[int, list[str]]:
        """Take the tasks of a worker that is dead, if it has not beaten since.

        Args:
            owner: of the worker.
            beats: its beats as they were; -1: it was not known.
            max_losses: the loss with which a task becomes a dead letter.

        Returns:
            How many tasks may run again, and those that may not.
        """

    @abstractmethod
    def held(self, owner: str) -> dict[str, bool]:
        """Return the tasks that a worker has, each with whether somebody has cancelled it."""

    @abstractmethod
    def cancel(self, task_id: str) -> State | None:
        """Cancel a task that waits; ask one that runs to stop. Returns what it is then, or None."""

    @abstractmethod
    def revive(self, task_id: str) -> bool:
        """Let a task that has failed, or was cancelled, run again; returns whether it has one."""

    def review(self) -> bool:
        """Look at some limits for which tasks wait, in case a place was freed and nobody noticed.

        Returns:
            Whether a task became ready by that.
        """
        return False

    @abstractmethod
    def prune(self, states: tuple[State, ...], before: int) -> int:
        """Delete tasks that have ended in one of some states before a time; returns how many."""

    @abstractmethod
    def prune_workers(self, before: int) -> None:
        """Forget workers that have not beaten since a time and run nothing."""

    @abstractmethod
    def overview(self) -> Overview:
        """Return what is known at a glance; nothing is counted to its end."""

    @abstractmethod
    def listing(self, state: State, most: int) -> list[TaskRecord]:
        """Return the newest tasks of a state, so many at most."""

    @abstractmethod
    def failed_ids(self, path: str, limit: int) -> list[str]:
        """Return the ids of tasks that have failed, of one path or of all (""); so many at most."""
