"""Messages of groups on their way to members that are queues: in order, also if Redis is away meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from channels.layers.local.drops import DropCounter
from channels.layers.redis.connect.commands import backoff
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.wire.sequencing import Envelope

#: Messages for one channel that wait for Redis; more are counted as "lost".
MAX_WAITING: Final = 10_000


class Forwarding:
    """Forwards messages as they come; while those for a channel wait for Redis, later ones wait behind them.

    Args:
        forward: adds a message to the queue of a channel, once however often it is called.
        start: runs a coroutine in the background of the running loop.
        drops: counts what waited for too long.
        patience: seconds that a message waits.
    """

    def __init__(
        self,
        forward: Callable[[str, Envelope], Coroutine[Any, Any, None]],
        start: Callable[[Coroutine[Any, Any, None]], None],
        drops: DropCounter,
        patience: float,
    ) -> None:
        self._forward = forward
        self._start = start
        self._drops = drops
        self._patience = patience
        self._waiting: dict[str, list[tuple[float, Envelope]]] = {}

    def add(self, channel: str, envelope: Envelope) -> None:
        """Forward a message of a group; called in a loop."""
        if channel in self._waiting:
            self._wait(channel, envelope)
        else:
            self._start(self._try(channel, envelope))

    async def _try(self, channel: str, envelope: Envelope) -> None:
        try:
            await self._forward(channel, envelope)
        except RedisUnavailable:
            first = channel not in self._waiting
            self._wait(channel, envelope)
            if first:
                await self._catch_up(channel)

    def _wait(self, channel: str, envelope: Envelope) -> None:
        """Have a message wait: before later ones of its sender, which may have failed first."""
        waiting = self._waiting.setdefault(channel, [])
        if len(waiting) >= MAX_WAITING:
            self._drops.add("lost")
            return
        at = len(waiting)
        while at and _later(waiting[at - 1][1], envelope):
            at -= 1
        waiting.insert(at, (time.monotonic() + self._patience, envelope))

    async def _catch_up(self, channel: str) -> None:
        """Forward what waits, one after the other, until nothing does."""
        waiting, waits = self._waiting[channel], backoff()
        try:
            while waiting:
                deadline, envelope = waiting[0]
                try:
                    await self._forward(channel, envelope)
                    waits = backoff()
                except RedisUnavailable:
                    if time.monotonic() < deadline:
                        await asyncio.sleep(next(waits))
                        continue
                    self._drops.add("lost")
                waiting.remove((deadline, envelope))
        finally:
            del self._waiting[channel]
            if waiting:  # the loop ends
                self._drops.add("lost", len(waiting))


def _later(one: Envelope, other: Envelope) -> bool:
    return one.sender == other.sender and one.number > other.number
