"""When a WebSocket is pinged, given up, or has lived long enough. Pure: the time is an argument."""

from __future__ import annotations

import enum

from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER


class Verdict(enum.Enum):
    """What is to be done about a WebSocket now."""

    WAIT = "nothing"
    PING = "it was silent for the interval: ask whether anybody is there"
    DEAD = "nobody answered the ping in time"
    EXPIRED = "it has lived as long as a WebSocket may"


class KeepaliveLimits:
    """The settings that all WebSockets share, in seconds; :data:`NEVER` where there is no limit.

    Args:
        config: gives ``ping_interval``, ``ping_timeout`` and ``websocket_timeout``.
    """

    __slots__ = ("first_look", "interval", "lifetime", "timeout")

    def __init__(self, config: Config) -> None:
        self.interval = config.ping_interval or NEVER
        self.timeout = NEVER if config.ping_timeout is None else config.ping_timeout
        self.lifetime = NEVER if config.websocket_timeout is None else config.websocket_timeout
        self.first_look = min(self.interval, self.lifetime)


class Keepalive:
    """The clock of one open WebSocket.

    Args:
        limits: what the settings say.
        now: when it was opened.

    Attributes:
        alive_at: when the peer last sent anything at all. What we send proves nothing.
        next_due: when to judge again; NEVER if there is no limit.
    """

    __slots__ = ("_answer_by", "_expires", "_limits", "_pinged_at", "alive_at", "next_due")

    def __init__(self, limits: KeepaliveLimits, now: float) -> None:
        self._limits = limits
        self._expires = now + limits.lifetime
        self._pinged_at = self._answer_by = NEVER
        self.alive_at = now
        self.next_due = now + limits.first_look

    def judge(self, now: float) -> Verdict:
        """Say what is to be done, and set ``next_due``."""
        verdict, due = self._judge_silence(now)
        if now >= self._expires:
            verdict = Verdict.EXPIRED
        self.next_due = min(due, self._expires)
        return verdict

    def _judge_silence(self, now: float) -> tuple[Verdict, float]:
        if self.alive_at >= self._pinged_at:
            self._pinged_at = self._answer_by = NEVER
        if self._pinged_at != NEVER:
            return (Verdict.DEAD if now >= self._answer_by else Verdict.WAIT), self._answer_by
        if now < self.alive_at + self._limits.interval:
            return Verdict.WAIT, self.alive_at + self._limits.interval
        self._pinged_at, self._answer_by = now, now + self._limits.timeout
        return Verdict.PING, self._answer_by
