"""The lane of async tasks: one event loop, on which they run by the hundred."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async

from channels import telemetry
from channels.core.database import close_what_is_broken
from channels.tasks.exceptions import TimedOut
from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt


class LoopLane:
    """Runs async tasks on one event loop.

    Args:
        concurrency: how many at once.
        ended: called with the outcome of each attempt, in the loop.
        freed: called after that, when another may take its place.
    """

    def __init__(self, concurrency: int, ended: Callable[[Outcome], None], freed: Callable[[], None]) -> None:
        self._most, self._ended, self._freed = concurrency, ended, freed
        self._loop: asyncio.AbstractEventLoop | None = None
        self.running: dict[str, Attempt] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Use the running loop."""
        self._loop = asyncio.get_running_loop()

    def room(self) -> int:
        """Return how many more tasks it would take, and start at once."""
        return max(0, self._most - len(self.running))

    free = room

    def put(self, attempts: list[Attempt]) -> None:
        """Run attempts; called in any thread."""
        for attempt in attempts:
            self.running[attempt.id] = attempt
        if attempts and self._loop is not None:
            self._loop.call_soon_threadsafe(self._start, attempts)

    def stop(self, task_id: str) -> None:
        """Cancel a task; called in any thread."""
        attempt = self.running.get(task_id)
        if attempt is not None and self._loop is not None and not attempt.stopping.is_set():
            attempt.stopping.set()
            self._loop.call_soon_threadsafe(self._cancel, task_id)

    def held(self) -> set[str]:
        """Return the ids of the tasks that it has."""
        return set(self.running)

    def _start(self, attempts: list[Attempt]) -> None:
        assert self._loop is not None
        for attempt in attempts:
            task = self._loop.create_task(self._run(attempt), context=contextvars.Context())
            self._tasks[attempt.id] = task

    def _cancel(self, task_id: str) -> None:
        task = self._tasks.get(task_id)
        if task is not None:
            task.cancel()

    async def _run(self, attempt: Attempt) -> None:
        try:
            self._ended(await run(attempt))
        finally:
            del self._tasks[attempt.id], self.running[attempt.id]
            self._freed()


async def run(attempt: Attempt) -> Outcome:
    """Run an attempt on this loop; a cancellation that nobody has asked for goes through."""
    try:
        task, args, kwargs = attempt.begin()
        value = await _call(attempt, task.acall(*args, **kwargs))
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and not attempt.stopping.is_set():
            raise
        outcome = attempt.fail(error)
    else:
        return attempt.succeed(value)
    await sync_to_async(close_what_is_broken)()
    return outcome


async def _call(attempt: Attempt, call: Coroutine[Any, Any, Any]) -> Any:
    """Await the call of a task within its time limit."""
    limit = asyncio.timeout(attempt.timeout)
    try:
        async with limit:
            return await call
    except TimeoutError as error:
        if not limit.expired():
            raise
        telemetry.count("tasks.timed_out", lane="loop")
        raise TimedOut(f"It took longer than its timeout, {attempt.timeout} s.") from error
