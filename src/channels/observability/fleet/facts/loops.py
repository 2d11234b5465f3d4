"""Reading what belongs to an event loop of this process, from another thread, within a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from channels import telemetry
from channels.server.server import Server, started_servers
from channels.topics.delivery.hub import Hub, all_hubs

_T = TypeVar("_T")

#: Seconds that an event loop has to take a call; a second is all that the whole answer has.
LOOP_LIMIT: Final = 0.6
#: The same where one process is meant.
PATIENT_LOOP_LIMIT: Final = 4.0
#: Things that are looked at in one turn of a loop.
SLICE: Final = 200


class LoopHeld(Exception):
    """An event loop did not take a call in time."""


def servers() -> list[Server]:
    """Return the servers of this process, without those that only answer health probes."""
    started = started_servers()
    probes = {server.probe for server in started}
    return [server for server in started if server not in probes]


def hubs_by_loop() -> dict[asyncio.AbstractEventLoop, Hub]:
    """Return the hubs of topics by their loops."""
    return {hub.loop: hub for hub in all_hubs()}


def workers() -> list[Any]:
    """Return the workers of tasks and of channels that run in this process.

    Each has its ``loop``, ``statistics()`` and ``ask_to_drain()``.
    """
    return [each for each in telemetry.registered("worker") if each.loop.is_running()]


def loops() -> list[asyncio.AbstractEventLoop]:
    """Return the event loops of this process in which something is served or worked on."""
    found = [each.loop for each in (*servers(), *workers())] + [*hubs_by_loop()]
    return [loop for loop in dict.fromkeys(found) if loop is not None and loop.is_running()]


async def in_loop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[..., Coroutine[Any, Any, _T]],
    *args: Any,
    limit: float = LOOP_LIMIT,
) -> _T:
    """Run a coroutine function in another loop; raises LoopHeld if that takes nothing on in time."""
    begun = asyncio.Event()
    here = asyncio.get_running_loop()

    async def run() -> _T:
        with contextlib.suppress(RuntimeError):
            here.call_soon_threadsafe(begun.set)
        return await function(*args)

    coroutine = run()
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError as error:  # it is closed
        coroutine.close()
        raise LoopHeld("The event loop has ended.") from error
    try:
        await asyncio.wait_for(begun.wait(), limit)
    except TimeoutError as error:
        future.cancel()
        raise LoopHeld(doing(loop)) from error
    return await asyncio.wrap_future(future)


async def lag_of(loop: asyncio.AbstractEventLoop) -> float:
    """Return the seconds that a loop takes to take a call; raises LoopHeld."""

    async def now() -> float:
        return time.perf_counter()

    asked = time.perf_counter()
    return await in_loop(loop, now) - asked


def doing(loop: asyncio.AbstractEventLoop) -> str:
    """Return where the thread of a loop is: file, line and function of the innermost frames."""
    thread = next((ident for ident, held in _threads().items() if held is loop), None)
    frame = None if thread is None else sys._current_frames().get(thread)
    if frame is None:
        return ""
    steps = traceback.extract_stack(frame)[-4:]
    return " > ".join(f"{step.filename}:{step.lineno} {step.name}" for step in steps)[:1000]


def _threads() -> dict[int, asyncio.AbstractEventLoop]:
    known = {hub.thread: loop for loop, hub in hubs_by_loop().items()}
    main = threading.main_thread().ident
    for each in (*servers(), *workers()):
        if each.loop is not None and main is not None and each.loop not in known.values():
            known.setdefault(main, each.loop)
    return known
