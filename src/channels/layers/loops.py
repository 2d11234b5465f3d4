"""What has to end before an event loop is closed.

``asyncio.run`` cancels what runs in a loop before it closes it. A program that only calls
``run_until_complete`` and ``close`` (old test runners do) leaves tasks pending and connections open,
and Python complains of each. So ``close`` of a loop that a layer has connections in ends those first;
channels_redis 4.3 does the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final

from channels import telemetry

#: Seconds that what is called before a loop is closed may take.
FAREWELL: Final = 2.0

_Method = weakref.WeakMethod[Callable[[], Awaitable[None]]]
_calls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Method]] = weakref.WeakKeyDictionary()


def call_before_close(loop: asyncio.AbstractEventLoop, method: Callable[[], Awaitable[None]]) -> None:
    """Await ``method()`` in ``loop`` when somebody closes it; a bound method, held weakly.

    It is not called if the loop is closed by its own hands, or while another one runs in the thread.
    """
    known = _calls.get(loop)
    if known is None:
        known = _calls[loop] = []
        with contextlib.suppress(AttributeError):  # a loop of somebody's own that has no room for it
            loop.close = _closing(loop)  # type: ignore[method-assign]
    known.append(weakref.WeakMethod(method))


def _closing(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Return what is ``loop.close`` until it is called."""
    reference = weakref.ref(loop)  # a reference to it in itself would keep it alive
    replaced: Callable[[], None] | None = vars(loop).get("close")

    def close() -> None:
        ending = reference()
        if ending is None:
            return
        if not ending.is_running():
            del ending.close
            for method in _calls.pop(ending, []):
                _call(ending, method())
        if replaced is not None:
            ending.close = replaced  # type: ignore[method-assign]
            replaced()
        else:
            type(ending).close(ending)

    return close


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[None]] | None) -> None:
    if function is None or loop.is_closed() or _another_runs():
        return
    try:
        loop.run_until_complete(_within(function))
    except Exception as error:
        telemetry.count("layer.farewell_failed", error=repr(error))


async def _within(function: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(FAREWELL):
        await function()


def _another_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
