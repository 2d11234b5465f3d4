"""How many messages a second one WebSocket may send."""

from __future__ import annotations


class Pace:
    """A token bucket: ``rate`` messages a second, and as many at once after a second of silence.

    Args:
        rate: messages a second.
        now: the time, in seconds.
    """

    __slots__ = ("_filled_at", "_left", "_rate")

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._left = float(rate)
        self._filled_at = now

    def allows(self, now: float) -> bool:
        """Count one message. Returns False if it is one too many."""
        self._left = min(self._rate, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._left -= 1.0
        return self._left >= 0.0
