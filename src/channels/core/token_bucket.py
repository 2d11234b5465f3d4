"""How much of something a peer may do: messages and frames of a WebSocket, commands of a client."""

from __future__ import annotations

#: Seconds over which the rate is judged: so many seconds' worth may come at once.
SPAN = 10.0


class TokenBucket:
    """A bucket of tokens, filled again only when it is empty.

    Args:
        rate: messages, or what else is counted, a second.
        now: the time, in seconds.
    """

    __slots__ = ("_filled_at", "_left", "_rate")

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._left = rate * SPAN
        self._filled_at = now

    def allows(self, now: float, amount: int = 1) -> bool:
        """Count one message, or more.

        Args:
            now: the time; it may be a little late.
            amount: how many.

        Returns:
            False if it is one too many.
        """
        if self._left < amount:
            self._fill(now)
        self._left -= amount
        return self._left >= 0.0

    def take_all(self, now: float) -> int:
        """Take the tokens that are there, for as many messages; 0 if the next one is too many."""
        self._fill(now)
        tokens = int(self._left)
        self._left -= tokens
        return tokens

    def _fill(self, now: float) -> None:
        self._left = min(self._rate * SPAN, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
