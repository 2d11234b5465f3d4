"""A connection whose bytes are the application's own to understand."""

from __future__ import annotations

import sys
from typing import ClassVar

from channels.server.asgi.tcp.stream import TCPStream, tcp_scope
from channels.server.connection.connection import Connection
from channels.server.endpoints.tls import Credentials
from channels.server.interfaces import Handler
from channels.server.runtime import Runtime


class _Unadmitted:
    """The handler of a connection that is one too many: it is closing, and no application runs for it."""

    def data_received(self, data: bytes) -> None:
        """What comes is dropped."""

    def read_on(self) -> None:
        """Nothing waits to be parsed."""

    def eof_received(self) -> bool:
        """There is nothing to say."""
        return False

    def peer_closed(self) -> None:
        """It is closing already."""

    def connection_lost(self) -> None:
        """There is nothing to let go of."""

    def stop(self) -> None:
        """It is closing already."""


_UNADMITTED = _Unadmitted()


class TCPConnection(Connection):
    """The shell of a connection to an endpoint that names an ``app``: no HTTP is spoken on it.

    Args:
        runtime: what the process shares.
        credentials: what its TLS was set up with; None for clear text.
        app: of the endpoint; the scope's path is ``/`` and this.
    """

    __slots__ = ("_app",)

    #: One too many is closed without a word: which one its peer would understand is not known.
    too_many: ClassVar[bytes] = b""

    def __init__(self, runtime: Runtime, credentials: Credentials | None, app: str) -> None:
        super().__init__(runtime, credentials)
        self._app = app

    def _first_handler(self) -> Handler:
        return _UNADMITTED

    def _begin(self) -> None:
        """Run the application, unless this is a connection too many."""
        super()._begin()
        if not self.closing:
            state = self.runtime.state
            scope = tcp_scope(sys.intern(f"/{self._app}"), self.client, self.server, self.tls, state)
            self.handler = TCPStream(self.runtime, self, scope)
