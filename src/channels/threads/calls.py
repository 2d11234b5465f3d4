"""A call in a thread with a Future for its result, as concurrent.futures has it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Call:
    """A piece of work that fulfils a future.

    Args:
        future: gets what ``function`` returns or raises.
        function: called without arguments.
        deadline: in ``time.monotonic()``; when it is still queued then, ``expire`` may be called. 0: never.
    """

    __slots__ = ("deadline", "function", "future")

    def __init__(self, future: Future[Any], function: Callable[[], Any], deadline: float = 0.0) -> None:
        self.future = future
        self.function = function
        self.deadline = deadline

    def __call__(self) -> None:
        """Make the call; raises nothing."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.function())
        except BaseException as error:
            self.future.set_exception(error)

    def expire(self, error: Exception) -> None:
        """Fail with ``error`` instead of being made."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)
