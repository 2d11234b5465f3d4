"""What the broker says of itself in topics below ``$SYS``, with the names that mosquitto gives them.

Nothing is stored, and nothing is done until somebody subscribes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from channels import __version__, telemetry
from channels.mqtt.metering.meter import MQTTMeter
from channels.mqtt.session import Session
from channels.protocols.mqtt.packets import Publish
from channels.protocols.mqtt.topics import matches, split_filter
from channels.topics.access.hooks import call_hook

#: How the names begin.
SYSTEM: Final = "$SYS/"
#: Seconds between two publications.
INTERVAL: Final = 10.0


def staff_only(user: Any) -> bool:
    """Whether a user may read how the broker is: the staff of Django's admin, unless the project decides."""
    return bool(getattr(user, "is_staff", False))


def is_system(topic_filter: str) -> bool:
    """Whether a filter, maybe a shared one, names topics below ``$SYS``."""
    return split_filter(topic_filter).filter.startswith(SYSTEM)


class SystemTopics:
    """The topics below ``$SYS`` of one event loop.

    Args:
        loop: the event loop.
        sessions: returns those of the loop.
        may_read: says which user may have them; sync or async.
        spawn: runs a coroutine.
        meter: has counted the messages, where metrics are on.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sessions: Callable[[], Iterable[Session]],
        may_read: Callable[..., Any],
        spawn: Callable[[Coroutine[Any, Any, object]], None],
        meter: MQTTMeter | None = None,
    ) -> None:
        self._loop, self._sessions = loop, sessions
        self._may_read, self._spawn = may_read, spawn
        self._meter = meter
        self._begun = time.monotonic()
        self._subscribers: dict[Session, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def permits(self, user: Any) -> bool:
        """Whether a user may have these topics."""
        return bool(await call_hook(self._may_read, user))

    def join(self, session: Session) -> None:
        """Publish to a session now and then, while it has filters that name these topics."""
        if _filters(session):
            self._subscribers[session] = None
            self._start()

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def _tick(self) -> None:
        self._timer = None
        for session in [each for each in self._subscribers if not _filters(each)]:
            del self._subscribers[session]
        if self._subscribers:
            self._start()
            self._spawn(self.publish())

    async def publish(self) -> None:
        """Publish to all who have subscribed, are connected, and may have it still."""
        values = self.values()
        for session in list(self._subscribers):
            if session.peer is not None and await self.permits(session.user):
                _send(session, values, _filters(session), retained=False)

    def send_now(self, session: Session, topic_filter: str) -> None:
        """Send a session that has subscribed what is there, as retained messages."""
        _send(session, self.values(), [topic_filter], retained=True)

    def values(self) -> dict[str, str]:
        """Return what is in each topic, of this event loop; what was dropped is of the process."""
        sessions = list(self._sessions())
        connected = sum(each.peer is not None for each in sessions)
        found: dict[str, object] = {
            "version": f"fairway version {__version__}",
            "uptime": f"{int(time.monotonic() - self._begun)} seconds",
            "clients/connected": connected,
            "clients/disconnected": len(sessions) - connected,
            "clients/total": len(sessions),
            "subscriptions/count": sum(len(each.subscriptions) for each in sessions),
            "publish/messages/dropped": telemetry.counters["mqtt.message_dropped"],
        }
        if self._meter is not None:
            found["publish/messages/received"], found["publish/messages/sent"] = self._meter.messages()
        return {f"{SYSTEM}broker/{name}": str(value) for name, value in found.items()}


def _filters(session: Session) -> list[str]:
    return [each for each in session.subscriptions if each.startswith(SYSTEM)]


def _send(session: Session, values: dict[str, str], filters: list[str], *, retained: bool) -> None:
    for name, value in values.items():
        found = [session.subscriptions[each] for each in filters if matches(each, name)]
        if found:
            identifiers = [each.identifier for each in found if each.identifier]
            properties = {"subscription_identifier": identifiers} if identifiers else {}
            session.deliver(Publish(name, value.encode(), retain=retained, properties=properties))
