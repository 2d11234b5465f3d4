"""Steps of a stream that take time, one after the other."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable

from channels import telemetry

Step = Callable[[], Awaitable[None]]


class Turns:
    """Steps that wait for those before them, up to a number of bytes.

    Args:
        limit: bytes that may wait.
        overflowed: called when more would wait.
    """

    def __init__(self, limit: int, overflowed: Callable[[], None]) -> None:
        self._limit, self._overflowed = limit, overflowed
        self._steps: dict[Hashable, tuple[Step, int]] = {}
        self._numbers = itertools.count()
        self._size = 0
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def add(self, step: Step, size: int, slot: str = "", droppable: bool = False) -> None:
        """Have ``step`` done behind all that waits, as an outbox does (``delivery.outbox.Outbox.put``)."""
        if slot in self._steps:
            self._leave_out(slot)
            telemetry.count("topics.slow_client_replaced")
        number = next(self._numbers)
        self._steps[slot or ((number,) if droppable else number)] = (step, size)
        self._size += size
        while self._size > self._limit and (oldest := self._oldest_droppable()) is not None:
            self._leave_out(oldest)
            telemetry.count("topics.slow_client_dropped")
        if self._size > self._limit:
            self._steps.clear()
            self._overflowed()
        self._more.set()

    def _oldest_droppable(self) -> Hashable | None:
        return next((key for key in self._steps if isinstance(key, tuple)), None)

    def _leave_out(self, key: Hashable) -> None:
        _, size = self._steps.pop(key)
        self._size -= size

    def stop(self) -> None:
        """Do no more steps."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._steps:
                step, size = self._steps.pop(next(iter(self._steps)))
                self._size -= size
                await step()
