"""Looks after the queues this process has sent to: what nobody takes is counted when it expires.

Redis would drop it as well, with its key, but tell nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from channels.layers.redis.connect.errors import RedisUnavailable

#: Queues looked after at a time; a project has a handful.
MAX_QUEUES: Final = 10_000


class ExpiryTimer:
    """One timer for each queue with messages of this process, in the loop that has sent the first.

    Args:
        interval: seconds after which messages have expired.
        sweep: drops and counts what has expired in a queue; returns how many messages are left.
        start: runs a coroutine as a task of the running loop.
    """

    def __init__(
        self,
        interval: float,
        sweep: Callable[[str], Coroutine[Any, Any, int]],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._interval = interval
        self._sweep = sweep
        self._start = start
        self._timers: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle]] = {}

    def watch(self, channel: str) -> None:
        """Look at ``channel`` when what is in it now has expired, and again while something is left."""
        known = self._timers.get(channel)
        if known is not None and not known[0].is_closed():
            return
        if known is None and len(self._timers) >= MAX_QUEUES:
            self._timers = {name: each for name, each in self._timers.items() if not each[0].is_closed()}
        if known is not None or len(self._timers) < MAX_QUEUES:
            loop = asyncio.get_running_loop()
            self._timers[channel] = (loop, loop.call_later(self._interval, self._due, channel))

    def _due(self, channel: str) -> None:
        self._timers.pop(channel, None)
        self._start(self._look(channel))

    async def _look(self, channel: str) -> None:
        try:
            left = await self._sweep(channel)
        except RedisUnavailable:
            left = 1  # nobody knows
        if left:
            self.watch(channel)

    def close(self) -> None:
        """End the timers of the running loop."""
        here = asyncio.get_running_loop()
        for channel, (loop, timer) in list(self._timers.items()):
            if loop is here:
                timer.cancel()
                del self._timers[channel]
