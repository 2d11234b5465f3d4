"""What may be done with a task after it was enqueued: cancel it, let it run again."""

from __future__ import annotations

from typing import Any, Final

from asgiref.sync import sync_to_async

from channels.tasks.backend import TaskBackend, store_of
from channels.tasks.definition.contract import TaskResult, task_backends
from channels.tasks.definition.states import State
from channels.tasks.exceptions import TaskCancelled
from channels.tasks.progress.reports import Report

#: What a report says of a task that somebody has cancelled before it ran.
_CANCELLED: Final = f"{TaskCancelled.__module__}.{TaskCancelled.__qualname__}"


def cancel(result: TaskResult) -> bool:
    """Cancel a task.

    One that waits does not run, from the commit of this transaction on. One that runs is asked to stop: an
    async task is cancelled, a sync one finds it with ``context.raise_if_cancelled()``.

    Args:
        result: of the task, from a backend of ours.

    Returns:
        False if it had ended already.
    """
    store = store_of(_backend(result))
    state = store.cancel(result.id)
    if state is State.CANCELLED and (record := store.get(result.id)) and record.viewer:
        from channels.tasks.progress.topic import TaskProgress  # needs settings

        TaskProgress(id=result.id).publish(Report.failed(_CANCELLED).as_data(), using=store.using)
    if state is State.CANCELLED:
        store.tell(result.backend)  # what waited for it
    if state is State.RUNNING:
        store.tell_all(result.backend)
    return state is not None


async def acancel(result: TaskResult) -> bool:
    """See :func:`cancel`."""
    return await sync_to_async(cancel)(result)


def retry(result: TaskResult) -> bool:
    """Let a task run again that has failed or was cancelled; its errors and attempts stay.

    Args:
        result: of the task, from a backend of ours.

    Returns:
        False if it has not ended, or has succeeded.
    """
    store = store_of(_backend(result))
    again = store.revive(result.id)
    if again:
        store.tell(result.backend)
    return again


async def aretry(result: TaskResult) -> bool:
    """See :func:`retry`."""
    return await sync_to_async(retry)(result)


def _backend(result: TaskResult) -> TaskBackend:
    backend: Any = task_backends[result.backend]
    if not isinstance(backend, TaskBackend):
        raise TypeError(f"The task {result.id} is of {backend!r}, which is no channels.tasks.TaskBackend.")
    return backend
