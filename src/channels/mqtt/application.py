"""The ASGI application that serves MQTT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from channels.core.routes import routes_no_further
from channels.mqtt.identity import default_authenticate
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.metering.connection import new_connection
from channels.mqtt.router import running_router
from channels.mqtt.sessions import Sessions
from channels.mqtt.streams import byte_stream
from channels.mqtt.system.topics import staff_only
from channels.sync.context import enter_context, exit_context
from channels.typing import Receive, Scope, Send


@routes_no_further
class MQTTBroker:
    """A broker whose topics are those of the project: it serves scope types ``tcp`` and ``websocket``.

    A topic is there if a class has its name as a pattern (``devices/<str:id>/state``); who may subscribe and
    publish say its methods ``may_subscribe`` and ``may_publish``. Its newest publication is retained in cache
    mode (``cache = True``).

    Args:
        authenticate: called with the scope and the CONNECT packet, sync or async; returns Django's user, or
            None for nobody who may connect. Without it user name and password go to Django's authentication
            backends, and a password alone is a token.
        limits: of each client.
        may_read_system: called with a user, sync or async; returns whether it may subscribe to the topics
            below ``$SYS``, which say how the broker is. Without it the staff of Django's admin may.
    """

    def __init__(
        self,
        *,
        authenticate: Callable[..., Any] = default_authenticate,
        limits: MQTTLimits | None = None,
        may_read_system: Callable[..., Any] = staff_only,
    ) -> None:
        self.authenticate = authenticate
        self.may_read_system = may_read_system
        self.limits = MQTTLimits() if limits is None else limits
        self._sessions: dict[asyncio.AbstractEventLoop, Sessions] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:  # as path() wants it
        """Serve one connection.

        Raises:
            ValueError: its scope is of another type.
        """
        stream = byte_stream(scope, receive, send)
        connection = enter_context(scope)
        try:
            await stream.accept()
            sessions, router = self.sessions(), running_router(self.limits)
            client = new_connection(scope, stream, sessions, router, self.limits, self.authenticate)
            await client.run()
        finally:
            exit_context(connection)

    def sessions(self) -> Sessions:
        """Return the sessions of the running event loop."""
        loop = asyncio.get_running_loop()
        found = self._sessions.get(loop)
        if found is None:
            for closed in [each for each in self._sessions if each.is_closed()]:
                del self._sessions[closed]
            router = running_router(self.limits)
            found = self._sessions[loop] = Sessions(loop, router, self.limits, self.may_read_system)
        return found
