"""A connection that counts its messages."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from channels.mqtt.connection import MQTTConnection
from channels.mqtt.metering.meter import MQTTMeter
from channels.mqtt.sessions import Sessions
from channels.protocols.mqtt.packets import Publish
from channels.typing import Scope

# Looked up here, not by super(), for each message.
_published: Final = MQTTConnection._published
#: The first byte of a PUBLISH, without its flags.
_PUBLISH: Final = 0x30


def new_connection(scope: Scope, stream: Any, sessions: Sessions, *more: Any) -> MQTTConnection:
    """Return a new connection; see :class:`MQTTConnection` for what it takes."""
    if sessions.meter is None:
        return MQTTConnection(scope, stream, sessions, *more)
    return MeteredMQTTConnection(sessions.meter, scope, stream, sessions, *more)


class MeteredMQTTConnection(MQTTConnection):
    """A connection that counts.

    Args:
        meter: takes what it has counted when it is over.
        scope: of the connection.
        opening: what else :class:`MQTTConnection` takes.

    Attributes:
        transport, received, sent: see :class:`~channels.mqtt.metering.meter.Metered`.
    """

    def __init__(self, meter: MQTTMeter, scope: Scope, *opening: Any) -> None:
        self._meter = meter
        self.transport: str = scope["type"]
        self.received = self.sent = 0
        super().__init__(scope, *opening)

    async def run(self) -> None:
        """See :class:`MQTTConnection`."""
        self._meter.connections.add(self)
        try:
            await super().run()
        finally:
            self._meter.finish(self)

    def write(self, data: bytes) -> bool:
        """See :class:`MQTTConnection`; written out: a call less for each message."""
        if self._max_sent and len(data) > self._max_sent:
            return False
        self._outbound.put(data)
        if data[0] & 0xF0 == _PUBLISH:
            self.sent += 1
        return True

    def _published(self, packet: Publish) -> Coroutine[Any, Any, None]:
        self.received += 1
        return _published(self, packet)

    handlers = MQTTConnection.handlers | {Publish: _published}
