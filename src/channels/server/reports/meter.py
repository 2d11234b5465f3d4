"""What has gone through the sockets of one server that are closed, counted where somebody wants to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Meter:
    """Totals of one event loop, of what is over; what is open has counts of its own, which cost less.

    Attributes:
        bytes_received: of connections, as they came after TLS.
        bytes_sent: likewise.
        messages_received: of WebSockets; of another protocol's meter, what that calls so.
        messages_sent: likewise.
    """

    __slots__ = ("_told", "bytes_received", "bytes_sent", "messages_received", "messages_sent")

    def __init__(self) -> None:
        self.bytes_received = self.bytes_sent = self.messages_received = self.messages_sent = 0
        self._told: dict[str, int] = {}

    def add_bytes(self, received: int, sent: int) -> None:
        """Add those of a connection that is over."""
        self.bytes_received += received
        self.bytes_sent += sent

    def total(self, name: str, open_ones: Iterable[Any]) -> int:
        """Return a total with that of what is open; in any thread, and never less than the last time.

        Args:
            name: of an attribute of this class.
            open_ones: counts of what is open; read after those of what is over.
        """
        found: int = getattr(self, name)
        self._told[name] = max(found + sum(open_ones), self._told.get(name, 0))
        return self._told[name]
