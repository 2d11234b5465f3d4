"""The first bytes of a connection in clear text: HTTP/2 by prior knowledge (RFC 9113 3.3), or HTTP/1.1."""

from __future__ import annotations

from channels.protocols.http2.frames import PREFACE
from channels.server.connection.http2 import HTTP2Handler
from channels.server.connection.interfaces import HandledConnection
from channels.server.interfaces import Handler


class ProtocolSniffer:
    """What a connection in clear text does until its first bytes tell HTTP/2 from HTTP/1.1.

    Args:
        connection: the connection.
        http1: who goes on with anything but HTTP/2, and keeps the time until then.
    """

    __slots__ = ("_begun", "_connection", "_http1")

    def __init__(self, connection: HandledConnection, http1: Handler) -> None:
        self._connection = connection
        self._http1 = http1
        self._begun = b""

    def data_received(self, data: bytes) -> None:
        """Choose the protocol as soon as the bytes tell which one it is."""
        data = self._begun + data
        if data.startswith(PREFACE):
            self._http1.connection_lost()  # it lets go of its time limits
            self._connection.switch_handler(HTTP2Handler(self._connection), data)
        elif PREFACE.startswith(data):
            self._begun = data
        else:
            self._connection.switch_handler(self._http1, data)

    def read_on(self) -> None:
        """Nothing waits to be parsed: the first bytes were decided on as they came."""

    def eof_received(self) -> bool:
        """The peer sends nothing more, and what it has sent is no HTTP/2: HTTP/1.1 judges it."""
        if self._begun:
            self._http1.data_received(self._begun)
        return not self._connection.closing and self._http1.eof_received()

    def peer_closed(self) -> None:
        """The connection is read all the time, so the close comes with ``eof_received``."""

    def connection_lost(self) -> None:
        """The peer has gone before it sent a whole preface or anything else."""
        self._http1.connection_lost()

    def stop(self) -> None:
        """Close a connection that has not asked for anything."""
        self._http1.stop()
