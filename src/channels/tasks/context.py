"""What a task that takes a context gets."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from channels.tasks.definition import contract
from channels.tasks.exceptions import TaskCancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(contract.TaskContext):  # type: ignore[misc] # it is frozen, which its stubs do not say
    """The context of a running task: Django's ``task_result`` and ``attempt``, and more."""

    _stopping: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the task, or its worker has lost it: it had best end."""
        return self._stopping.is_set()

    def raise_if_cancelled(self) -> None:
        """End a sync task that was cancelled.

        Raises:
            TaskCancelled: somebody has cancelled it. Let it through.
        """
        if self._stopping.is_set():
            raise TaskCancelled("The task was cancelled while it ran.")
