"""Background tasks: a backend for ``django.tasks``, and what runs them.

The way of a task: ``backend.py`` writes a row in the transaction of who enqueues it, and wakes workers after
the commit; ``worker/`` takes rows, a batch by one statement, runs them in threads and on one event loop, and
writes how they have ended. ``definition/states.py`` has every state and what leads from one to another.

A worker says that it is alive as long as it runs tasks. Others look on, each by its own steady clock; what
has said nothing for the time of a lease is dead, and its tasks run again. No clock of one machine is compared
with another's.

This module is imported before the apps are ready: models stand apart, and stores use none.
"""

from channels.tasks.backend import TaskBackend
from channels.tasks.control import acancel, aretry, cancel, retry
from channels.tasks.definition.limits import Limit
from channels.tasks.definition.task import Step, Task, task
from channels.tasks.groups import chain, group
from channels.tasks.schedule import cron, every

__all__ = [
    "Limit",
    "Step",
    "Task",
    "TaskBackend",
    "acancel",
    "aretry",
    "cancel",
    "chain",
    "cron",
    "every",
    "group",
    "retry",
    "task",
]
