"""The threads in which event loops ask databases: few, each with a connection."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

from channels.core.database import close_what_is_broken, opened_anywhere
from channels.db import database_sync_to_async
from channels.process.platforms import after_fork_in_child

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Threads of a process.
THREADS: Final = 2
#: Calls that one transaction takes together.
TOGETHER: Final = 100


class _Threads:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with none, in a new process or a forked one."""
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="channels-journal")


_threads: Final = _Threads()
after_fork_in_child(_threads.begin)


async def in_thread(work: Callable[..., _T], *values: Any) -> _T:
    """Do work that asks a database, in one of the threads; in a test case as Django's async methods do it."""
    if _is_in_testcase():
        return await database_sync_to_async(work)(*values)
    return await asyncio.get_running_loop().run_in_executor(_threads.executor, _do, work, *values)


def outside_loops(work: Callable[..., _T], *values: Any) -> _T:
    """Do work that asks a database here, or, where Django forbids it beside a running loop, in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work(*values)
    return _threads.executor.submit(_do, work, *values).result()


def _do(work: Callable[..., _T], *values: Any) -> _T:
    close_what_is_broken()
    try:
        return work(*values)
    finally:
        close_what_is_broken()


def _is_in_testcase() -> bool:
    """Whether a test case has a transaction open, which connections of other threads neither see nor join."""
    if "django.test.testcases" not in sys.modules:
        return False
    blocks = (block for connection in opened_anywhere() for block in connection.atomic_blocks)
    return any(getattr(block, "_from_testcase", False) for block in blocks)


class Combined(Generic[_T, _R]):
    """Calls that are made while another runs are made together: one transaction for all of them.

    Args:
        work: makes calls, in order, and returns what each gave.
    """

    def __init__(self, work: Callable[[Sequence[_T]], list[_R]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[tuple[_T, Future[_R]]] = []
        self._running = False

    async def do(self, value: _T) -> _R:
        """Make a call."""
        if _is_in_testcase():
            return (await in_thread(self._work, [value]))[0]
        future: Future[_R] = Future()
        with self._lock:
            self._waiting.append((value, future))
            start, self._running = not self._running, True
        if start:
            _threads.executor.submit(_do, self._run)
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        while True:
            with self._lock:
                calls, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                if not calls:
                    self._running = False
                    return
            calls = [call for call in calls if call[1].set_running_or_notify_cancel()]
            if calls and not self._made(calls):
                for call in calls:  # one that cannot be made does not stop the others
                    self._made([call])

    def _made(self, calls: Sequence[tuple[_T, Future[_R]]]) -> bool:
        """Make calls together; False if they are to be made one by one."""
        try:
            results = self._work([value for value, _ in calls])
        except Exception as error:
            if len(calls) > 1:
                return False
            calls[0][1].set_exception(error)
            return True
        for (_, future), result in zip(calls, results, strict=True):
            future.set_result(result)
        return True
