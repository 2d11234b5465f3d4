"""What a task has forked is not the worker: it ends where it would go on with the worker's work."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Generator
from typing import Any

#: How often this process is a child of a fork; asked so often that a system call for it would be dear.
_forks = 0


def _count() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count)


class OneProcess:
    """Awaits a coroutine in the process that has called it.

    A child that the coroutine has forked ends when it would wait or return: the event loop, its descriptors
    and the other tasks on it are the parent's.

    Args:
        call: the coroutine.
    """

    __slots__ = ("_call", "_forks")

    def __init__(self, call: Coroutine[Any, Any, Any]) -> None:
        self._call, self._forks = call, _forks

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has the methods that await calls

    def __iter__(self) -> OneProcess:
        return self

    def send(self, value: Any = None) -> Any:
        """Go on with a value."""
        try:
            return self._call.send(value)
        finally:
            if _forks != self._forks:
                os._exit(0)

    __next__ = send

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        try:
            return self._call.throw(*error)
        finally:
            end_if_forked(self._forks)

    def close(self) -> None:
        """End it."""
        self._call.close()


def forks() -> int:
    """Return a number that differs in a child."""
    return _forks


def end_if_forked(before: int) -> None:
    """End this process at once if it is a child of that which :func:`forks` was asked in."""
    if _forks != before:
        os._exit(0)
