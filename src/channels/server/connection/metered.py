"""A connection that counts its bytes; another class, so that one that does not count costs nothing."""

from __future__ import annotations

from channels.server.connection.connection import Connection
from channels.server.endpoints.tls import Credentials
from channels.server.limits.turns import FULL_READ
from channels.server.reports.meter import Meter
from channels.server.runtime import Runtime


def connection_for(runtime: Runtime, credentials: Credentials | None = None) -> Connection:
    """Return the shell of a new connection; see :class:`Connection` for what it takes."""
    if runtime.meter is None:
        return Connection(runtime, credentials)
    return MeteredConnection(runtime.meter, runtime, credentials)


class MeteredConnection(Connection):
    """A connection that counts its bytes.

    Args:
        meter: takes what it has counted when it is over.
        runtime: what the process shares.
        credentials: see :class:`Connection`.
    """

    __slots__ = ("_meter", "bytes_received", "bytes_sent")

    def __init__(self, meter: Meter, runtime: Runtime, credentials: Credentials | None = None) -> None:
        self._meter = meter
        self.bytes_received = self.bytes_sent = 0
        super().__init__(runtime, credentials)

    def data_received(self, data: bytes) -> None:
        """See :class:`Connection`."""
        self.bytes_received += len(data)
        # What the plain class does, written out: a call less for each message (row "echo").
        if self._paused:
            self._count_ahead(len(data))
        if not self.closing:
            self.handler.data_received(data)
        if len(data) >= FULL_READ:
            self.read_later()

    def flush(self) -> None:
        """See :class:`Connection`; written out likewise."""
        if data := self._out:
            self._out = b""
            if self._behind is not None:
                data, self._behind = b"".join((data, *self._behind)), None
            self.bytes_sent += len(data)
            self._transport.write(data)

    def write_now(self, data: bytes) -> None:
        """See :class:`Connection`."""
        if not self._out and not self.closing:
            self.bytes_sent += len(data)
        super().write_now(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`Connection`."""
        self._meter.add_bytes(self.bytes_received, self.bytes_sent)
        self.bytes_received = self.bytes_sent = 0
        super().connection_lost(exc)
