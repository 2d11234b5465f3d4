"""A connection that counts its bytes; another class, so that one that does not count costs nothing."""

from __future__ import annotations

from channels.server.asgi.metering.websocket import MeteredWebSocketStream
from channels.server.connection.connection import Connection
from channels.server.endpoints.tls import Credentials
from channels.server.limits.turns import FULL_READ
from channels.server.reports.meter import SAMPLE, Meter
from channels.server.runtime import Runtime


def connection_for(runtime: Runtime, credentials: Credentials | None = None) -> Connection:
    """Return the shell of a new connection; see :class:`Connection` for what it takes."""
    if runtime.meter is None:
        return Connection(runtime, credentials)
    return MeteredConnection(runtime.meter, runtime, credentials)


class MeteredConnection(Connection):
    """A connection that counts its bytes, and has now and then a message timed.

    Args:
        meter: takes what it counts.
        runtime: what the process shares.
        credentials: see :class:`Connection`.
    """

    __slots__ = ("_meter",)

    def __init__(self, meter: Meter, runtime: Runtime, credentials: Credentials | None = None) -> None:
        self._meter = meter
        super().__init__(runtime, credentials)

    def data_received(self, data: bytes) -> None:
        """See :class:`Connection`."""
        meter = self._meter
        meter.bytes_received += len(data)
        meter.until_sample -= 1
        if not meter.until_sample:
            meter.until_sample = SAMPLE
            if type(self.handler) is MeteredWebSocketStream:
                self.handler.time_next()
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
            self._meter.bytes_sent += len(data)
            self._transport.write(data)

    def write_now(self, data: bytes) -> None:
        """See :class:`Connection`."""
        if not self._out and not self.closing:
            self._meter.bytes_sent += len(data)
        super().write_now(data)
