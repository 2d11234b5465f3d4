"""Which topics have presence entries: noted so that others find those whose process has died."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from channels import telemetry
from channels.topics.stores.base import StoreUnavailable

#: Topics noted in one step.
AT_ONCE: Final = 500


class LeaseNotes:
    """What one process has noted, so that it notes a topic once in a third of a lease only.

    A topic that stays noted for that long cannot be due at the same time.

    Args:
        lease: seconds that a presence entry lives.
        write: notes topics in Redis.
    """

    def __init__(self, lease: float, write: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self._interval, self._write = lease / 3, write
        self._noted: dict[str, float] = {}

    async def note(self, topics: Iterable[str]) -> None:
        """Note topics; that it cannot be done now is counted, as it is done again with the next renewal."""
        now = time.monotonic()
        due = [topic for topic in topics if self._noted.get(topic, now) <= now]
        try:
            for start in range(0, len(due), AT_ONCE):
                await self._write(due[start : start + AT_ONCE])
        except StoreUnavailable as error:
            telemetry.count("topics.lease_not_noted", error=str(error))
        else:
            self._noted.update(dict.fromkeys(due, now + self._interval))

    async def noting(self, topic: str, call: Awaitable[bool]) -> bool:
        """Return what ``call`` does; beside it ``topic`` is noted."""
        if self._noted.get(topic, 0.0) > time.monotonic():
            return await call
        done, _ = await asyncio.gather(call, self.note([topic]))
        return done

    def forget(self) -> None:
        """Forget what was noted long ago."""
        now = time.monotonic()
        self._noted = {topic: until for topic, until in self._noted.items() if until > now}
