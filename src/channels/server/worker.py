"""The server of one process: listen, serve, stop without hurting anybody."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

from channels.server.config import Config, ConfigError
from channels.server.connection import Connection
from channels.server.lifespan import Lifespan
from channels.server.runtime import Runtime
from channels.server.sockets import (
    Endpoint,
    address_of,
    open_sockets,
    parse_endpoint,
    remove_unix_socket,
)
from channels.server.streams.base import Stream
from channels.server.tls import Credentials, secured

logger = logging.getLogger("channels.server")

#: Seconds that cancelled applications and aborted connections get to be gone.
_LAST_MOMENT = 2.0


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """Make an event loop.

    Args:
        name: "uvloop", "asyncio", or "auto" for uvloop where it is installed.

    Raises:
        ConfigError: uvloop is asked for and not installed.
    """
    if name != "asyncio":
        try:
            loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        except ImportError:
            if name == "uvloop":
                raise ConfigError(
                    "loop is 'uvloop', but uvloop is not installed: install it, or use --loop asyncio."
                ) from None
        else:
            return loop
    return asyncio.new_event_loop()


class Server:
    """One process's server.

    ``await server.serve()`` is all that a program needs. A test may ``start()`` and
    ``stop()`` it in a loop of its own.

    Args:
        config: everything that can be set.

    Attributes:
        addresses: where it listens, (host, port) or a Unix socket's path, once started.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.addresses: list[tuple[str, int] | str] = []
        self._endpoints = [secured(parse_endpoint(text), config) for text in config.endpoints]
        self._lifespan = Lifespan(config.app, config.lifespan, config.lifespan_timeout)
        self._protocols = ("h2", "http/1.1") if config.http2 else ("http/1.1",)
        self._listeners: list[asyncio.AbstractServer] = []
        self._sockets: list[socket.socket] = []
        self._runtime: Runtime | None = None
        self._stop_asked = asyncio.Event()
        self._hurry = asyncio.Event()

    async def start(self) -> None:
        """Bind, run lifespan startup, then accept.

        Raises:
            ListenError: an address cannot be listened on.
            LifespanFailed: the application could not start.
        """
        runtime = self._runtime = Runtime(self.config, asyncio.get_running_loop())
        try:
            listening = [(sock, tls) for endpoint in self._endpoints for sock, tls in self._open(endpoint)]
            # Bound before startup, so that a port in use is told before slow work begins.
            await self._lifespan.startup()
            runtime.state = self._lifespan.state
            for sock, credentials in listening:
                self._listeners.append(await self._accept_from(sock, runtime, credentials))
        except BaseException:
            await self._close_listeners()
            runtime.timers.close()
            raise
        self.addresses = [address_of(sock) for sock in self._sockets]

    def _open(self, endpoint: Endpoint) -> list[tuple[socket.socket, Credentials | None]]:
        """Listen there, after a look at the certificate: a socket that cannot serve is not opened."""
        credentials = None if endpoint.tls is None else Credentials(endpoint.tls, self._protocols)
        opened = open_sockets(endpoint, self.config.backlog)
        self._sockets += opened
        return [(sock, credentials) for sock in opened]

    async def _accept_from(
        self, sock: socket.socket, runtime: Runtime, credentials: Credentials | None
    ) -> asyncio.AbstractServer:
        def connect() -> Connection:
            return Connection(runtime, credentials)

        more: dict[str, Any] = {"sock": sock, "backlog": self.config.backlog}
        if credentials is not None:
            credentials.watch(runtime.timers)
            more |= {"ssl": credentials.context, "ssl_handshake_timeout": self.config.tls_timeout}
        if sock.family == socket.AF_UNIX:
            return await runtime.loop.create_unix_server(connect, **more)
        return await runtime.loop.create_server(connect, **more)

    async def serve(self, ready: Callable[[], Any] | None = None, *, signals: bool = True) -> None:
        """Start, serve until a signal or :meth:`ask_to_stop`, then stop.

        Args:
            ready: called once it listens.
            signals: stop on SIGINT and SIGTERM, at once on the second; only in the main thread.
        """
        with self._signals_handled() if signals else contextlib.nullcontext():
            await self.start()
            try:
                if ready is not None:
                    ready()
                await self._stop_asked.wait()
            finally:
                await self.stop()

    @contextlib.contextmanager
    def _signals_handled(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.ask_to_stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def ask_to_stop(self) -> None:
        """Make :meth:`serve` stop; asked a second time, it does not wait for anybody any more."""
        if self._stop_asked.is_set():
            self._hurry.set()
        self._stop_asked.set()

    async def stop(self) -> None:
        """Accept nothing new, let what runs end within ``shutdown_timeout``, then end it.

        WebSockets are closed with 1012 and their applications told. When it returns no
        connection is open and no application runs, except one that ignores its
        cancellation; lifespan shutdown was run.
        """
        runtime = self._runtime
        if runtime is None or runtime.stopping:
            return
        runtime.stopping = True
        await self._close_listeners()
        for connection in list(runtime.connections):
            connection.stop()
        await self._wait_idle(runtime, self.config.shutdown_timeout)
        for stream in list(runtime.streams):
            stream.kill(f"within {self.config.shutdown_timeout} s after the server was told to stop")
        for connection in list(runtime.connections):
            connection.abort()
        await self._wait_idle(runtime, _LAST_MOMENT)
        for stream in runtime.streams:
            logger.error("The application ignores its cancellation and is left behind: %s", stream.label)
        await self._lifespan.shutdown()
        runtime.timers.close()

    async def _wait_idle(self, runtime: Runtime, limit: float | None) -> None:
        """Wait until nothing runs any more, the limit is up, or somebody is in a hurry."""
        waits = [asyncio.ensure_future(runtime.wait_idle()), asyncio.ensure_future(self._hurry.wait())]
        try:
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _close_listeners(self) -> None:
        for sock in self._sockets:
            remove_unix_socket(sock)
        for listener in self._listeners:
            listener.close()
        for sock in self._sockets:
            sock.close()
        self._listeners.clear()
        self._sockets.clear()

    @property
    def streams(self) -> list[Stream]:
        """Every request and WebSocket whose application runs."""
        return [] if self._runtime is None else list(self._runtime.streams)

    def statistics(self) -> dict[str, int]:
        """Returns counts of what is alive and of what was served; empty before the start."""
        return {} if self._runtime is None else self._runtime.statistics()
