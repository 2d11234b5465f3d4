"""The lane of async tasks: one event loop, on which they run by the hundred."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from asgiref.sync import sync_to_async

from channels import telemetry
from channels.core.database import close_what_is_broken
from channels.tasks.exceptions import TimedOut
from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt
from channels.tasks.worker.forks import OneProcess
from channels.tasks.worker.lane import PATIENCE

logger = logging.getLogger("channels.tasks")

#: Seconds for which an async task may go on after it was cancelled at its time limit.
GRACE: Final = 1.0


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
        self._thread = 0
        self._waiting: deque[tuple[float, Attempt]] = deque()
        self._answers = True
        self._stuck, self._leaving = 0, threading.Lock()
        self.running: dict[str, Attempt] = {}
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Use the running loop."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def room(self) -> int:
        """Return how many more tasks it would take, and start at once."""
        return max(0, self._most - len(self.running)) if self._answers else 0

    free = room

    def put(self, attempts: list[Attempt]) -> None:
        """Run attempts; called in any thread."""
        now = time.monotonic()
        for attempt in attempts:
            self.running[attempt.id] = attempt
            self._waiting.append((now, attempt))
        if attempts:
            self._in_loop(self._start)

    def stop(self, task_id: str) -> None:
        """Cancel a task; called in any thread."""
        attempt = self.running.get(task_id)
        if attempt is not None and not attempt.stopping.is_set():
            attempt.stopping.set()
            self._in_loop(self._cancel, attempt)

    def held(self) -> set[str]:
        """Return the ids of the tasks that it has."""
        return set(self.running)

    def deadline(self) -> float | None:
        """Return when the first of those that run is given up."""
        ends = [each.deadline for each in tuple(self.running.values()) if each.deadline is not None]
        return min(ends) + GRACE if ends else None

    def cut_off(self, now: float) -> list[Outcome]:
        """Give up what goes on although it was cancelled at its time limit; returns what becomes of it.

        It has caught its cancellation, or the loop is blocked. It cannot be ended; another takes its place.
        """
        outcomes = []
        for attempt in tuple(self.running.values()):
            if attempt.deadline is None or now < attempt.deadline + GRACE:
                continue
            attempt.deadline = None
            if attempt.take_end():
                telemetry.count("tasks.timed_out", lane="loop")
                outcomes.append(attempt.cut_off())
                self._replace(attempt)
        return outcomes

    def waits_since(self) -> float | None:
        """Return since when the oldest of those waits that the loop has not started."""
        try:
            return self._waiting[0][0]
        except IndexError:
            return None

    def take_back(self) -> list[Attempt]:
        """Return what was not started, and forget it; nothing more is taken until the loop answers."""
        self._answers = False
        self._in_loop(self._answer)
        since = self.waits_since()
        attempts = self._take_waiting()
        for attempt in attempts:
            self.running.pop(attempt.id, None)
        if since is not None and time.monotonic() - since >= PATIENCE:
            logger.error(
                "The event loop of async tasks does not answer, and %d of them are given back. %s",
                len(attempts), self._where(),
            )  # fmt: skip
        return attempts

    def _where(self) -> str:
        """Say what the loop's thread does."""
        frame = sys._current_frames().get(self._thread)
        if frame is None:
            return "It has ended."
        line = traceback.extract_stack(frame)[-1]
        return f"It is in {line.name}(), {line.filename} line {line.lineno}: a task must not block it."

    def _in_loop(self, function: Callable[..., None], *args: Any) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(function, *args)

    def _take_waiting(self) -> list[Attempt]:
        """Return what waits; no other thread gets any of it."""
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft()[1])
        return taken

    def _answer(self) -> None:
        self._answers = True
        self._freed()

    def _start(self) -> None:
        assert self._loop is not None
        for attempt in self._take_waiting():
            task = self._loop.create_task(self._run(attempt), context=contextvars.Context())
            self._tasks[attempt] = task

    def _cancel(self, attempt: Attempt) -> None:
        task = self._tasks.get(attempt)
        if task is not None:
            task.cancel()

    def _replace(self, attempt: Attempt) -> None:
        with self._leaving:
            if self._stuck < self._most and self.running.pop(attempt.id, None) is not None:
                self._stuck += 1

    def _leave(self, attempt: Attempt) -> None:
        with self._leaving:
            if self.running.get(attempt.id) is attempt:
                del self.running[attempt.id]
            else:
                self._stuck -= 1  # another has taken its place

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await run(attempt)
            if outcome is not None:
                self._ended(outcome)
        finally:
            del self._tasks[attempt]
            self._leave(attempt)
            self._freed()


async def run(attempt: Attempt) -> Outcome | None:
    """Run an attempt on this loop; a cancellation that nobody has asked for goes through.

    Returns None if it was cut off meanwhile.
    """
    try:
        task, args, kwargs = attempt.begin()
        value = await _call(attempt, task.acall(*args, **kwargs))
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and not attempt.stopping.is_set():
            raise
        outcome = attempt.fail(error) if attempt.take_end() else None
    else:
        return attempt.succeed(value) if attempt.take_end() else None
    await sync_to_async(close_what_is_broken)()
    return outcome


async def _call(attempt: Attempt, call: Coroutine[Any, Any, Any]) -> Any:
    """Await the call of a task within its time limit."""
    limit = asyncio.timeout(attempt.timeout)
    try:
        async with limit:
            return await OneProcess(call)
    except TimeoutError as error:
        if not limit.expired():
            raise
        telemetry.count("tasks.timed_out", lane="loop")
        raise TimedOut(f"It took longer than its timeout, {attempt.timeout} s.") from error
