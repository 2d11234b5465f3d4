"""Pings for all clients of one loop, with one timer for all of them."""

from __future__ import annotations

import asyncio
import random
from typing import Final, Protocol

#: Seconds between two turns.
TURN: Final = 1.0


class Pinged(Protocol):
    """Who gets pings."""

    def ping(self) -> None:
        """Send a ping."""

    def expect_pong(self) -> None:
        """The time for an answer is over."""


class Heartbeat:
    """Pings each client once per interval, the first time between half of it and all of it.

    Args:
        loop: the clients' loop.
        interval: seconds between two pings.
        timeout: seconds for an answer, less than ``interval``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, timeout: float) -> None:
        self._loop = loop
        self._slots: list[dict[Pinged, None]] = [{} for _ in range(max(2, round(interval / TURN)))]
        self._lag = min(len(self._slots) - 1, max(1, round(timeout / TURN)))
        self._turn = 0
        self._places: dict[Pinged, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, client: Pinged) -> None:
        """Ping ``client`` from now on."""
        slots = len(self._slots)
        place = self._places[client] = (self._turn + random.randint(slots // 2, slots - 1)) % slots  # noqa: S311
        self._slots[place][client] = None
        if self._timer is None:
            self._timer = self._loop.call_later(TURN, self._beat)

    def discard(self, client: Pinged) -> None:
        """Ping it no more."""
        place = self._places.pop(client, None)
        if place is not None:
            del self._slots[place][client]

    def _beat(self) -> None:
        slots = self._slots
        self._turn = (self._turn + 1) % len(slots)
        for client in list(slots[self._turn]):
            client.ping()
        for client in list(slots[self._turn - self._lag]):
            client.expect_pong()
        self._timer = self._loop.call_later(TURN, self._beat) if self._places else None
