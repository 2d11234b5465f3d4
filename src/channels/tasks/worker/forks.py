"""What a task has forked is not the worker: it ends where it would go on with the worker's work."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class OneProcess:
    """Awaits a coroutine in the process that has called it.

    A child that the coroutine has forked ends when it would wait or return: the event loop, its descriptors
    and the other tasks on it are the parent's.

    Args:
        call: the coroutine.
    """

    def __init__(self, call: Coroutine[Any, Any, Any]) -> None:
        self._call, self._process = call, os.getpid()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has the methods that await calls

    def __iter__(self) -> OneProcess:
        return self

    def __next__(self) -> Any:
        return self._step(self._call.send, None)

    def send(self, value: Any) -> Any:
        """Go on with a value."""
        return self._step(self._call.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        return self._step(self._call.throw, *error)

    def close(self) -> None:
        """End it."""
        self._step(self._call.close)

    def _step(self, step: Callable[..., Any], *values: Any) -> Any:
        try:
            return step(*values)
        finally:
            end_if_forked(self._process)


def end_if_forked(process: int) -> None:
    """End this process at once if it is another than ``process``."""
    if os.getpid() != process:
        os._exit(0)
