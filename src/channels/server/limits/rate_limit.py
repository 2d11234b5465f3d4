"""How fast a peer may be, and how slow: messages and frames of a WebSocket, bytes and parts of a body."""

from __future__ import annotations

from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER

#: Seconds over which the rate is judged: so many seconds' worth may come at once.
SPAN = 10.0


class TokenBucket:
    """A bucket of tokens, filled again only when it is empty: most messages cost one subtraction.

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
            self._left = min(self._rate * SPAN, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
        self._left -= amount
        return self._left >= 0.0


class MinRateDeadline:
    """Until when a request's body is on time.

    Args:
        config: ``body_timeout`` and ``body_min_rate``.
        now: when we began to wait for it; what the application has held up is not the peer's fault.
    """

    __slots__ = ("_config", "_due")

    def __init__(self, config: Config, now: float) -> None:
        self._config = config
        self._due = now if config.body_timeout is None else now + config.body_timeout

    def received(self, amount: int, now: float) -> float:
        """Count bytes that arrived.

        Returns:
            When the next ones are due; never earlier than what was returned before.
        """
        timeout, rate = self._config.body_timeout, self._config.body_min_rate
        if timeout is None:
            return NEVER
        if not rate:
            return now + timeout
        self._due += amount / rate
        return min(now + timeout, self._due)
