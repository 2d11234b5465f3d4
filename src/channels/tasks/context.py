"""What a task that takes a context gets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from channels.tasks.definition import contract
from channels.tasks.exceptions import TaskCancelled
from channels.tasks.progress.reports import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(contract.TaskContext):  # type: ignore[misc] # it is frozen, which its stubs do not say
    """The context of a running task: Django's ``task_result`` and ``attempt``, and more."""

    _stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    _previous: Callable[[], list[contract.TaskResult]] = field(default=list, repr=False)
    _report: Callable[[Report], None] = field(default=lambda report: None, repr=False)

    def previous(self) -> list[contract.TaskResult]:
        """Return the results of the tasks that this one has waited for, in their order.

        It reads them from the store; in an async task call it by ``sync_to_async``.
        """
        return self._previous()

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell the task's viewer how far it is; it returns at once, and may be called as often as you like.

        The newest report of each fifth of a second is published, as the topic ``task:<id>``.

        Args:
            fraction: from 0 to 1; what is beyond counts as the end.
            text: for people; 500 characters at most.

        Raises:
            ValueError: the fraction is no number.
        """
        self._report(Report.running(fraction, text))

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
