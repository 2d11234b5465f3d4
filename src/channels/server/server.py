"""The server of one process: listen, serve, and stop without losing requests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from channels.diagnostics.loggers import enable_loggers
from channels.process import readiness, serving
from channels.process.platforms import forget_signal, is_unix, on_signal
from channels.server.accept.acceptor import Acceptor
from channels.server.accept.extra_acceptors import ExtraAcceptors
from channels.server.config import Config
from channels.server.connection.metered import connection_for
from channels.server.connection.tcp import TCPConnection
from channels.server.control_channel import SupervisorLink
from channels.server.endpoints import systemd
from channels.server.endpoints.endpoints import (
    address_of,
    open_sockets,
    parse_endpoint,
    remove_unix_socket,
)
from channels.server.endpoints.tls import Credentials, secured
from channels.server.lifecycle.deadline import StopDeadline, stop_limit
from channels.server.lifecycle.drain import Drain
from channels.server.lifecycle.gc_tuning import tuned_gc
from channels.server.lifecycle.lifespan import Lifespan
from channels.server.loops import count_tasks
from channels.server.reports.exposure import dangers, open_to_everybody
from channels.server.reports.health import DRAINING, STARTING, probe_config, side_config
from channels.server.reports.loop_watchdog import LoopWatchdog
from channels.server.runtime import ApplicationRun, Runtime

logger = logging.getLogger("channels.server")


class Server:
    """One process's server.

    ``await server.serve()`` is all that a program needs. A test may ``start()`` and
    ``stop()`` it in a loop of its own.

    Args:
        config: everything that can be set.
        supervisor_link: the place of this process under a supervisor, which has opened the sockets;
            None for a process that stands alone.

    Attributes:
        addresses: where it listens, (host, port) or a Unix socket's path, once started.
        probe: the server on the health port; None without one, or if the supervisor has it.
        metrics: the server on the metrics port; likewise.
    """

    def __init__(self, config: Config, supervisor_link: SupervisorLink | None = None) -> None:
        self.config = config
        self._supervisor_link = supervisor_link
        self.addresses: list[tuple[str, int] | str] = []
        self._endpoints = [secured(parse_endpoint(text), config) for text in config.endpoints]
        self.probe: Server | None = None
        if supervisor_link is None and config.health_port is not None:
            self.probe = Server(probe_config(config.health_bind, config.health_port, self._obstacle))
        self.metrics: Server | None = None
        if supervisor_link is None and config.metrics_port is not None and config.metrics_app is not None:
            self.metrics = Server(side_config(config.metrics_bind, config.metrics_port, config.metrics_app))
        self._lifespan = Lifespan(
            config.app, config.lifespan, config.lifespan_timeout, config.lifespan_shutdown_timeout
        )
        self._protocols = ("h2", "http/1.1") if config.http2 else ("http/1.1",)
        self._listeners: list[asyncio.AbstractServer | ExtraAcceptors | Acceptor] = []
        self._sockets: list[socket.socket] = []
        self._own_files: list[socket.socket] = []
        self._runtime: Runtime | None = None
        self._watchdog: LoopWatchdog | None = None
        self._stop_asked = asyncio.Event()
        self._hurry = asyncio.Event()

    async def start(self) -> None:
        """Bind, run lifespan startup, then accept.

        Raises:
            ListenError: an address cannot be listened on.
            LifespanFailed: the application could not start.
        """
        enable_loggers()
        count_tasks(asyncio.get_running_loop())
        runtime = self._runtime = Runtime(self.config, asyncio.get_running_loop())
        self._watchdog = self._watch_loop(runtime)
        try:
            listening = [each for place in range(len(self._endpoints)) for each in self._open(place)]
            if self._supervisor_link is None or self._supervisor_link.number == 1:  # once for all workers
                paths = [path for path in map(open_to_everybody, self._sockets) if path is not None]
                for danger in dangers(self.config, paths):
                    logger.warning("%s", danger)
            for beside in self._beside:
                await beside.start()
            # Bound before startup, so that a port in use is told before slow work begins.
            await self._lifespan.startup()
            runtime.state = self._lifespan.state
            for sock, credentials, app in listening:
                self._listeners.append(await self._accept_from(sock, runtime, credentials, app))
        except BaseException:
            await self._close_listeners()
            self._end_timers(runtime)
            for beside in self._beside:
                await beside.stop()
            raise
        self.addresses = [address_of(sock) for sock in self._sockets]
        _started.add(self)

    def _watch_loop(self, runtime: Runtime) -> LoopWatchdog | None:
        limit = self.config.loop_held_limit
        if not limit:
            return None
        watchdog = LoopWatchdog(runtime.timers, limit)
        watchdog.start()
        return watchdog

    def _end_timers(self, runtime: Runtime) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        runtime.timers.close()

    def _obstacle(self) -> str:
        """What keeps this process from taking requests."""
        if self.draining:
            return DRAINING
        return readiness.obstacle() if self.addresses else STARTING

    def _open(self, place: int) -> list[tuple[socket.socket, Credentials | None, str]]:
        """Load the certificate of one endpoint, then listen there: no socket is opened that cannot serve."""
        endpoint = self._endpoints[place]
        protocols = () if endpoint.app else self._protocols
        credentials = None if endpoint.tls is None else Credentials(endpoint.tls, protocols)
        if self._supervisor_link is None:
            opened = open_sockets(endpoint, self.config.backlog)
            self._own_files += opened if endpoint.kind == "unix" else []
        else:
            opened = self._supervisor_link.sockets(place)
        self._sockets += opened
        return [(sock, credentials, endpoint.app) for sock in opened]

    async def _accept_from(
        self, sock: socket.socket, runtime: Runtime, credentials: Credentials | None, app: str
    ) -> asyncio.AbstractServer | ExtraAcceptors | Acceptor:
        make = functools.partial(TCPConnection, app=app) if app else connection_for
        if credentials is not None:
            credentials.watch(runtime.timers)
        if credentials is not None or isinstance(runtime.loop, asyncio.BaseEventLoop):
            acceptor = Acceptor(runtime, sock, credentials, make)
            acceptor.open()
            return acceptor
        connect = functools.partial(make, runtime, None)
        more: dict[str, Any] = {"backlog": self.config.backlog}
        if is_unix(sock):
            if sys.version_info >= (3, 13):
                # The file belongs to whoever opened the socket, and outlives this process.
                more["cleanup_socket"] = False
            return await runtime.loop.create_unix_server(connect, sock=sock, **more)
        acceptors = ExtraAcceptors(
            runtime, sock, lambda each: runtime.loop.create_server(connect, sock=each, **more)
        )
        await acceptors.open()
        return acceptors

    async def serve(self, ready: Callable[[], Any] | None = None, *, signals: bool = True) -> None:
        """Start, serve until a signal or :meth:`ask_to_stop`, then stop.

        Args:
            ready: called once it listens.
            signals: stop on SIGINT and SIGTERM, at once on the second; only in the main thread. Whatever
                holds the event loop, the process ends within ``drain_timeout`` and
                ``lifespan_shutdown_timeout`` and 10 seconds.
                Under a supervisor, do what it says.
        """
        with self._commanded() if signals else contextlib.nullcontext():
            if not await self._start_unless_stopped():
                return
            try:
                with tuned_gc():
                    serving.announce()
                    self._tell_ready()
                    if ready is not None:
                        ready()
                    await self._stop_asked.wait()
            finally:
                if self._supervisor_link is None:
                    systemd.notify(STOPPING="1", STATUS="Draining.")
                await self.stop()

    async def _start_unless_stopped(self) -> bool:
        """Start; returns False if it is told to stop meanwhile: nothing is left running then."""
        starting = asyncio.ensure_future(self.start())
        stop = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait([starting, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.wait([starting])
        if starting.cancelled():
            logger.info("The start was given up: the server is told to stop.")
            return False
        starting.result()
        return True

    def _tell_ready(self) -> None:
        if self._supervisor_link is not None:
            self._supervisor_link.ready()
        else:
            systemd.notify(READY="1", STATUS="Serving.")

    @contextlib.contextmanager
    def _commanded(self) -> Iterator[None]:
        if self._supervisor_link is not None:
            with self._supervisor_link.commanding(self):
                yield
            return
        loop = asyncio.get_running_loop()
        deadline = StopDeadline(stop_limit(self.config.drain_timeout, self.config.lifespan_shutdown_timeout))
        for number in (signal.SIGINT, signal.SIGTERM):
            on_signal(loop, number, self.ask_to_stop, deadline.on_signal)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                forget_signal(loop, number)
            deadline.cancel()

    def ask_to_stop(self) -> None:
        """Make :meth:`serve` stop; asked a second time, it waits for no request any more."""
        if self._stop_asked.is_set():
            self._hurry.set()
        self._stop_asked.set()

    def ask_to_drain(self) -> None:
        """Make :meth:`serve` stop; asking again changes nothing."""
        self._stop_asked.set()

    def ask_to_end(self) -> None:
        """Make :meth:`serve` stop and wait for no request."""
        self._hurry.set()
        self._stop_asked.set()

    async def stop(self) -> None:
        """Accept nothing new, let what runs end within ``drain_timeout``, then end it.

        WebSockets are closed with 1012, spread over the time there is, and their applications
        told. When it returns no connection is open and no application runs, except one that
        ignores its cancellation; lifespan shutdown was run.
        """
        runtime = self._runtime
        if runtime is None or runtime.stopping:
            return
        runtime.stopping = True
        acceptors = [listener for listener in self._listeners if isinstance(listener, Acceptor)]
        await self._close_listeners()
        await Drain(runtime, self._hurry).run()
        for acceptor in acceptors:
            acceptor.cancel()
        await self._lifespan.shutdown()
        _started.discard(self)
        self._end_timers(runtime)
        for beside in self._beside:
            await beside.stop()

    @property
    def _beside(self) -> list[Server]:
        return [each for each in (self.probe, self.metrics) if each is not None]

    async def _close_listeners(self) -> None:
        for sock in self._own_files:
            remove_unix_socket(sock)
        for listener in self._listeners:
            listener.close()
        for sock in self._sockets:
            sock.close()
        self._listeners.clear()
        self._sockets.clear()
        self._own_files.clear()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it serves in; None before the start."""
        return None if self._runtime is None else self._runtime.loop

    @property
    def draining(self) -> bool:
        """Whether it is told to stop, and ends what runs."""
        return self._stop_asked.is_set() or (self._runtime is not None and self._runtime.stopping)

    @property
    def streams(self) -> list[ApplicationRun]:
        """Every request and WebSocket whose application runs."""
        return [] if self._runtime is None else list(self._runtime.streams)

    def statistics(self) -> dict[str, int]:
        """Return counts of what is alive and of what was served; empty before the start."""
        return {} if self._runtime is None else self._runtime.statistics()


_started: weakref.WeakSet[Server] = weakref.WeakSet()


def started_servers() -> list[Server]:
    """Return the servers of this process that serve or drain, for whoever looks in from outside."""
    return list(_started)
