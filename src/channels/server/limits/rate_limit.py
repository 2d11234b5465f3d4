"""How slow a request's body may be."""

from __future__ import annotations

from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER


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
