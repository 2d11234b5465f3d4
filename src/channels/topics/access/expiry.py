"""What ends unless the client refreshes it in time: its connection, and subscriptions by tokens."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

#: Among what may end: the connection. Everything else is the subscription to a topic of that name.
CONNECTION: Final = ""
#: Seconds of the longest ``ttl`` that clients are told.
LONGEST: Final = 365 * 86_400
#: Seconds until the clock is looked at again: it may be set, and timers of the loop know nothing of that.
_LOOK: Final = 3600.0


def ttl_until(end: float) -> int:
    """Return the seconds until an end, as clients are told: one at least; 0 for never."""
    return min(LONGEST, max(1, math.ceil(end - time.time()))) if end else 0


class Expiry:
    """The ends of one client, and one timer for the first of them.

    Args:
        grace: seconds after an end in which the client may still refresh.
        expired: called with what has ended.
    """

    __slots__ = ("_ends", "_expired", "_grace", "_timer")

    def __init__(self, grace: float, expired: Callable[[str], None]) -> None:
        self._grace, self._expired = grace, expired
        self._ends: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, what: str, end: float) -> None:
        """Note when something ends: the subscription to a topic, or :data:`CONNECTION`; 0: never."""
        self._ends.pop(what, None)
        if end:
            self._ends[what] = end + self._grace
        self._arm()

    def stop(self) -> None:
        """Forget all."""
        self._ends.clear()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ends:
            delay = min(self._ends.values()) - time.time()
            self._timer = asyncio.get_running_loop().call_later(min(_LOOK, max(0.0, delay)), self._look)

    def _look(self) -> None:
        now = time.time()
        for what in [what for what, end in self._ends.items() if end <= now]:
            self._ends.pop(what, None)
            self._expired(what)
        self._arm()
