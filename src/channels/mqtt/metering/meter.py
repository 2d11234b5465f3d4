"""The MQTT connections of one event loop and their messages, as metrics read them now and then."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from channels import telemetry
from channels.server.reports.meter import Meter


class Metered(Protocol):
    """A connection that counts.

    Attributes:
        transport: the type of its scope: ``tcp`` or ``websocket``.
        received: PUBLISH packets that have come.
        sent: PUBLISH packets that were sent.
    """

    transport: str
    received: int
    sent: int


class MQTTMeter(Meter):
    """Totals of the connections that are over, and those that are open, each with counts of its own.

    Attributes:
        connections: the open ones.
    """

    __slots__ = ("__weakref__", "connections")

    def __init__(self) -> None:
        super().__init__()
        self.connections: set[Metered] = set()
        telemetry.register("mqtt", self)

    def by_transport(self) -> Counter[str]:
        """Return how many connections are open, by what carries them; in any thread."""
        return Counter(each.transport for each in tuple(self.connections))

    def messages(self) -> tuple[int, int]:
        """Return how many PUBLISH packets have come, and how many were sent, since the loop began."""
        found = tuple(self.connections)
        received = self.total("messages_received", (each.received for each in found))
        return received, self.total("messages_sent", (each.sent for each in found))

    def finish(self, connection: Metered) -> None:
        """Take over what a connection has counted that is over."""
        self.messages_received += connection.received
        self.messages_sent += connection.sent
        connection.received = connection.sent = 0
        self.connections.discard(connection)
