"""What has to end before an event loop is closed.

``asyncio.run`` cancels what runs in a loop before it closes it. A program that only calls
``run_until_complete`` and ``close`` (old test runners do) leaves tasks pending and connections open,
and Python complains of each. So ``close`` of a loop that a layer has connections in ends those first;
channels_redis 4.3 does the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from channels import telemetry

#: Seconds that what is called before a loop is closed may take.
FAREWELL: Final = 2.0

_Method = weakref.WeakMethod[Callable[[], Awaitable[None]]]
_calls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Method]] = weakref.WeakKeyDictionary()
_classes: set[type] = set()


def call_before_close(loop: asyncio.AbstractEventLoop, method: Callable[[], Awaitable[None]]) -> None:
    """Await ``method()`` in ``loop`` when somebody closes it; a bound method, held weakly.

    It is not called while another loop runs in the thread that closes this one.
    """
    if type(loop) not in _classes:
        _classes.add(type(loop))
        _extend_close(type(loop))
    alive = [known for known in _calls.get(loop, ()) if known() is not None]
    _calls[loop] = [*alive, weakref.WeakMethod(method)]


def _extend_close(cls: Any) -> None:
    """Have ``close`` of a class of loops make the calls.

    Not of the loop: with an attribute more its other ones are looked up more slowly, which costs 6 % of a
    ``group_send()``.
    """
    close = cls.close

    @functools.wraps(close)
    def close_after_calls(self: asyncio.AbstractEventLoop) -> None:
        if not self.is_running():
            for method in _calls.pop(self, []):
                _call(self, method())
        close(self)

    with contextlib.suppress(TypeError):  # a class that cannot be changed
        cls.close = close_after_calls


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[None]] | None) -> None:
    if function is None or loop.is_closed() or _another_runs():
        return
    try:
        loop.run_until_complete(_within(function))
    except Exception as error:
        telemetry.count("layer.farewell_failed", error=repr(error))


async def end_tasks(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended, so that the loop may be closed."""
    others = [task for task in tasks if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)


async def _within(function: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(FAREWELL):
        await function()


def _another_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
