"""What goes through the sockets of one server, counted where somebody wants to know."""

from __future__ import annotations

from typing import Final

#: Of so many reads one is timed: how long its message waits for the application.
SAMPLE: Final = 64


class Meter:
    """Running totals of one event loop.

    Attributes:
        bytes_received: of all connections, as they come after TLS.
        bytes_sent: likewise.
        messages_received: of WebSockets that are over; those that are open have their own count.
        messages_sent: of all WebSockets.
        until_sample: reads until one is timed.
    """

    __slots__ = ("bytes_received", "bytes_sent", "messages_received", "messages_sent", "until_sample")

    def __init__(self) -> None:
        self.bytes_received = self.bytes_sent = self.messages_received = self.messages_sent = 0
        self.until_sample = SAMPLE
