"""Accepts connections where the event loop's own way is not good enough.

With TLS, because a peer that never ends its handshake is a connection too: it is counted,
refused where there are too many, and its failure is told. With asyncio's own loops, because
they spin when the process may open no more files. In clear text uvloop accepts by itself,
in half the time.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from channels import telemetry
from channels.server.connection.connection import Connection
from channels.server.connection.proxied_tls import read_proxy_header
from channels.server.endpoints.endpoints import address_pair
from channels.server.endpoints.tls import Credentials
from channels.server.runtime import Runtime

logger = logging.getLogger("channels.server")

#: How many connections are accepted before others have their turn.
_AT_ONCE = 64
#: Seconds that the loop lets a peer take to read what was sent before a close, and to close TLS. The
#: loop counts from the close whether the peer reads or not; :class:`Connection` judges by what it reads.
_SHUTDOWN = 86_400.0
#: Seconds without accepting after the process could not open another file.
PAUSE = 1.0


class Acceptor:
    """Accepts from one listening socket, from :meth:`open` to :meth:`close`.

    Args:
        runtime: what the process shares.
        sock: the listening socket, which does not block.
        credentials: for TLS; None for clear text.
        connect: makes the connections of it.
    """

    def __init__(
        self,
        runtime: Runtime,
        sock: socket.socket,
        credentials: Credentials | None,
        connect: Callable[[Runtime, Credentials | None], Connection] = Connection,
    ) -> None:
        self._runtime = runtime
        self._socket = sock
        self._credentials = credentials
        self._connect = connect
        self._proxied = credentials is not None and runtime.config.proxy_protocol
        self._handshakes: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._again = None
        self._runtime.loop.add_reader(self._socket.fileno(), self._accept)

    def close(self) -> None:
        """Accept nobody any more; handshakes under way go on."""
        if self._again is not None:
            self._again.cancel()
        self._runtime.loop.remove_reader(self._socket.fileno())

    def cancel(self) -> None:
        """End the handshakes that are still under way."""
        for task in self._handshakes:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._accepted(sock, address)

    def _pause(self, error: OSError) -> None:
        """Accept nobody for a while, as no file can be opened: connections wait in the kernel's backlog."""
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        telemetry.count("server.accept_failed", reason=reason)
        self._runtime.warn_rarely(
            "accept",
            "Connections cannot be accepted: %s. Raise the limit of open files (ulimit -n, LimitNOFILE=), "
            "or look for what the application leaves open.",
            error.strerror,
        )
        self._runtime.loop.remove_reader(self._socket.fileno())
        self._again = self._runtime.loop.call_later(PAUSE, self.open)

    def _accepted(self, sock: socket.socket, address: Any) -> None:
        """Judge a new socket, and set its connection up in a task: a TLS handshake takes a while."""
        runtime = self._runtime
        host = address[0] if isinstance(address, tuple) else None
        connection = self._connect(runtime, self._credentials)
        runtime.arriving.add(connection)
        if self._is_refused(sock, host):
            runtime.arriving.discard(connection)
            sock.close()
            return
        sock.setblocking(False)
        task = runtime.loop.create_task(self._set_up(connection, sock, host))
        self._handshakes.add(task)
        task.add_done_callback(partial(self._set_up_ended, connection))

    def _set_up_ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._handshakes.discard(task)
        self._runtime.arriving.discard(connection)

    def _is_refused(self, sock: socket.socket, host: str | None) -> bool:
        if self._credentials is None or self._proxied:
            # Any other refusal can be told in clear text: the connection does. A proxy first says who comes.
            return self._runtime.is_last_descriptor(sock.fileno(), host)
        return self._runtime.refusal_of(host, sock.fileno()) is not None

    async def _set_up(self, connection: Connection, sock: socket.socket, host: str | None) -> None:
        runtime = self._runtime
        if self._proxied:
            try:
                host = await self._read_proxy_header(connection, sock)
            except BaseException as error:
                sock.close()
                if isinstance(error, OSError):
                    return  # the peer has gone, or was refused
                raise
        more: dict[str, Any] = {}
        if self._credentials is not None:
            limit = runtime.config.tls_timeout
            more = {
                "ssl": self._credentials.context,
                "ssl_handshake_timeout": limit,
                "ssl_shutdown_timeout": _SHUTDOWN,
            }
        try:
            await runtime.loop.connect_accepted_socket(lambda: connection, sock, **more)
        except OSError as error:  # TLS's errors, timeouts and resets all are
            event = "server.tls_failed" if more else "server.accept_failed"
            telemetry.count(event, reason=type(error).__name__, client=host)
            logger.debug("Nothing came of a connection from %s: %s", host, error)
        finally:
            if more and connection in runtime.arriving:
                runtime.admission.leave(host)  # it was never made, so it does not leave by itself

    async def _read_proxy_header(self, connection: Connection, sock: socket.socket) -> str | None:
        """Learn for whom a proxy speaks; returns the address of who is counted.

        Raises:
            OSError: it has gone, it is none, or there are too many connections.
        """
        peer = address_pair(sock.getpeername())
        addresses = await read_proxy_header(self._runtime, sock, peer)
        connection.set_proxied(addresses)
        client = peer if addresses is None else addresses[0]
        host = None if client is None else client[0]
        if self._runtime.refusal_of(host, sock.fileno()) is not None:
            raise ConnectionRefusedError
        return host
