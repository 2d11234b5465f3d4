"""What is recorded of tasks that did not end by themselves; and what callers may catch."""

from __future__ import annotations


class WorkerLost(Exception):
    """The worker of a task has died, once too often."""


class TimedOut(Exception):
    """An attempt took longer than its ``timeout``."""


class StoreUnavailable(ConnectionError):
    """The Redis that keeps tasks does not answer, or refuses: nothing was changed, as far as is known."""


class UnknownTask(Exception):
    """The code of a worker has no task with this path."""


class TaskCancelled(Exception):
    """Somebody has cancelled the task while it ran: its context raises this, and it ends."""
