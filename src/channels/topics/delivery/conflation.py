"""The latest of many: what is offered too fast replaces what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Conflation(Generic[_T]):
    """Hands the first of a burst on at once and then, once per interval, the latest.

    Args:
        interval: seconds between two.
        hand_on: called with what leaves, in the loop.

    Attributes:
        replaced: how many never left, as a later one took their place.
    """

    __slots__ = ("_hand_on", "_interval", "_timer", "_waiting", "replaced")

    def __init__(self, interval: float, hand_on: Callable[[_T], None]) -> None:
        self._interval, self._hand_on = interval, hand_on
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[_T] = []
        self.replaced = 0

    def offer(self, item: _T) -> None:
        """Hand ``item`` on, now or when the interval is over, unless a later one comes before that."""
        if self._timer is not None:
            self.replaced += len(self._waiting)
            self._waiting = [item]
            return
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._due)
        self._hand_on(item)

    def close(self) -> None:
        """Let nothing more leave."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self.offer(item)
