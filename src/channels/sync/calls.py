"""A call in a thread with a Future for its result, as concurrent.futures has it.

Django's own handler makes a list of what a sync iterator of a streamed response has, in one call.
Where the iterator has no end, the call ends when its caller is cancelled: see :func:`stoppable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, TypeVar

_R = TypeVar("_R")


class Call:
    """A piece of work that fulfils a future.

    Args:
        future: gets what ``function`` returns or raises.
        function: called without arguments.
        queued_at: since when it waits, in ``time.monotonic()``; ``expire`` may be called once that is too
            long. 0: it may not.
    """

    __slots__ = ("function", "future", "queued_at")

    def __init__(self, future: Future[Any], function: Callable[[], Any], queued_at: float = 0.0) -> None:
        self.future = future
        self.function = function
        self.queued_at = queued_at

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


class Abandonable(Future[_R]):
    """A future that knows whether its caller still waits.

    Attributes:
        abandoned: its caller has cancelled it, perhaps after the call began.
    """

    abandoned = False

    def cancel(self) -> bool:
        """Take the call back if it has not begun; see concurrent.futures."""
        self.abandoned = True
        return super().cancel()


def stoppable(call: partial[Any], future: Abandonable[Any]) -> partial[Any]:
    """Return ``call`` so that a list of an iterator's items, if any, ends once its caller is cancelled.

    Args:
        call: what asgiref wants called: its handler of threads, whose last argument is what the
            user, or Django, has given to ``sync_to_async``, with its arguments.
        future: of the call.
    """
    inner = call.args[-1] if call.args else None
    if not isinstance(inner, partial) or inner.func is not list or len(inner.args) != 1:
        return call
    listing: partial[list[Any]] = partial(list, _until_abandoned(inner.args[0], future))
    return partial(call.func, *call.args[:-1], listing, **call.keywords)


def _until_abandoned(items: Iterable[Any], future: Abandonable[Any]) -> Iterator[Any]:
    for item in items:
        if future.abandoned:
            raise CancelledError("The caller of this call was cancelled.")
        yield item
