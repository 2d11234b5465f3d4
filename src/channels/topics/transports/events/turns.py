"""Steps of a stream that take time, one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Step = Callable[[], Awaitable[None]]


class Turns:
    """Steps that wait for those before them, up to a number of bytes.

    Args:
        limit: bytes that may wait.
        overflowed: called when more would wait.
    """

    def __init__(self, limit: int, overflowed: Callable[[], None]) -> None:
        self._limit, self._overflowed = limit, overflowed
        self._steps: deque[tuple[Step, int]] = deque()
        self._size = 0
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def add(self, step: Step, size: int) -> None:
        """Have ``step`` done behind all that waits."""
        self._size += size
        if self._size > self._limit:
            self._steps.clear()
            self._overflowed()
        else:
            self._steps.append((step, size))
            self._more.set()

    def stop(self) -> None:
        """Do no more steps."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._steps:
                step, size = self._steps.popleft()
                self._size -= size
                await step()
