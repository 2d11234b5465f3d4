"""What all connections of one server process share: settings, limits, timers, and what is open or runs."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Protocol

from channels import telemetry
from channels.protocols.events import Handshake
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http1.connection import HTTP1Connection, HTTP1Limits
from channels.protocols.http2.connection import HTTP2Limits
from channels.protocols.websocket.limits import WebSocketLimits
from channels.protocols.websocket.permessage_deflate import DeflateParameters, DeflateSettings, negotiate
from channels.server.config import Config
from channels.server.io.closed_peers import ClosedPeers
from channels.server.io.coalescing import WakeupCoalescer
from channels.server.io.timer_wheel import NEVER, TimerWheel
from channels.server.io.waiters import Waiters
from channels.server.io.writing import EndOfTurn
from channels.server.limits.bodies import HeldBodies
from channels.server.limits.connection_limits import ClientLimitMiddleware, ConnectionLimits
from channels.server.limits.fd_limits import MARGIN, descriptor_limit
from channels.server.limits.keepalive import KeepaliveLimits
from channels.server.limits.turns import Turns
from channels.server.loops import uncounted_create_task
from channels.server.proxies.forwarded import ForwardedGuard
from channels.server.proxies.trusted_proxies import FORWARDED, Address, TrustedProxies
from channels.server.reports.health import Health
from channels.server.reports.meter import Meter
from channels.typing import ASGIApp, Headers

logger = logging.getLogger("channels.server")

#: Seconds between two warnings about the same thing.
_WARN_INTERVAL = 60.0
_REFUSED = {
    "descriptors": "A connection from %s was cut: this process may open no more files. Raise the limit "
    "(ulimit -n, LimitNOFILE=), or set a lower --max-connections.",
    "total": "A connection from %s was refused: there are --max-connections already.",
    "address": "A connection from %s was refused: it has --max-connections-per-address already. If this is "
    "a proxy, name it with --trusted-proxies.",
}
_REFUSED_STREAM = (
    "A stream of HTTP/2 from %s was refused: it has --http2-max-streams-per-address already. If this is a "
    "proxy, name it with --trusted-proxies."
)
#: The time limits that each request begins anew.
_TIME_LIMITS = (
    "keep_alive_timeout",
    "head_timeout",
    "body_timeout",
    "http_timeout",
    "websocket_close_timeout",
)


def _seconds(limit: float | None) -> float:
    return NEVER if limit is None else limit


class OpenConnection(Protocol):
    """A connection, as far as all of them are counted and stopped."""

    @property
    def client(self) -> list[Any] | None:
        """The peer as [host, port]; None on a Unix socket."""
        ...

    @property
    def handler(self) -> object:
        """The protocol that it speaks at present."""
        ...

    def stop(self) -> None:
        """Finish what runs, and take nothing new."""
        ...

    def abort(self) -> None:
        """Close at once; what waits to be written is lost."""
        ...


class ApplicationRun(Protocol):
    """A run of the application, as far as all of them are counted and ended.

    Attributes:
        label: what the log calls it, such as ``GET /path``.
        task: in which it runs; None once it has ended.
    """

    label: str
    task: asyncio.Task[None] | None

    def kill(self, when: str) -> None:
        """Cancel the run and log it; ``when`` says until when it should have ended."""
        ...


def deflate_settings(config: Config) -> DeflateSettings | None:
    """Return what WebSockets may agree on about compression; None where it is switched off."""
    if not config.websocket_deflate:
        return None
    return DeflateSettings(
        server_context_takeover=config.websocket_deflate_context_takeover,
        client_context_takeover=config.websocket_deflate_context_takeover,
        min_size=config.websocket_deflate_min_size,
    )


def http1_limits(config: Config) -> HTTP1Limits:
    """Return what a head of HTTP/1.1 may have."""
    return HTTP1Limits(
        max_target=config.max_target_size,
        max_header_bytes=config.max_head_size,
        max_headers=config.max_headers,
        underscores=config.underscore_headers,
    )


def http2_limits(config: Config) -> HTTP2Limits:
    """Return what a peer that speaks HTTP/2 may make us hold."""
    return HTTP2Limits(
        max_target=config.max_target_size,
        max_header_bytes=config.max_head_size,
        max_headers=config.max_headers,
        underscores=config.underscore_headers,
        max_streams=config.http2_max_streams,
        max_pending=config.write_limit,
        max_resets=config.http2_max_resets,
        max_control_frames=config.http2_max_control_frames,
        max_small_data=config.body_max_small_parts,
    )


def websocket_limits(config: Config) -> WebSocketLimits:
    """Return what a message may have; a size of 0 is no limit."""
    return WebSocketLimits(
        max_message_size=config.websocket_max_message_size or None,
        max_frame_size=config.websocket_max_frame_size or None,
        max_fragments=config.websocket_max_fragments,
    )


class Runtime:
    """The shared part of one server process.

    Attributes:
        config: the settings.
        loop: the event loop; everything here is used from its thread only.
        create_task: creates a task in it that is no handler's.
        timers: the time limits of all connections and streams.
        turns: whose bytes are parsed in the next turns of the loop.
        closed_peers: the connections that would not hear of their end.
        bodies: what applications hold of request bodies.
        rounds: when streams tell that a message has arrived.
        end_of_turn: who is to be flushed after this turn of the loop.
        state: what lifespan startup left for the requests; None without lifespan.
        connections: every open connection.
        arriving: those that an acceptor has accepted and that have not been made yet, as during a
            TLS handshake.
        streams: every running application.
        stopping: no new work is taken.
        http2_engine: who reads HTTP/2, by name; None for the default.
        time_limits: seconds by the name of their setting, :data:`NEVER` where there is none, as for "".
        proxies: whose headers are believed; None for everybody's.
        meter: counts messages and bytes; None where nobody has asked for that.
    """

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.proxies = None if config.trusted_proxies is None else TrustedProxies(config.trusted_proxies)
        self.admission = ConnectionLimits(config, self.proxies)
        self.app = self._fronted(config)
        limit = descriptor_limit()
        self._last_descriptor = math.inf if limit is None else limit - MARGIN
        self.loop = loop
        self.create_task = uncounted_create_task(loop)
        self.timers = TimerWheel(loop)
        self.closed_peers = ClosedPeers()
        self.timers.at_tick.append(self.closed_peers.on_tick)
        self.bodies = HeldBodies(config, self.proxies)
        self.state: dict[str, Any] | None = None
        self.connections: set[OpenConnection] = set()
        self.streams: set[ApplicationRun] = set()
        self.arriving: set[OpenConnection] = set()
        self.stopping = False
        self.time_limits = {name: _seconds(getattr(config, name)) for name in _TIME_LIMITS} | {"": NEVER}

        self.accepted = 0
        self.requests = 0
        self.websockets = 0
        self.tcp_connections = 0
        self.websocket_limits = websocket_limits(config)
        self.keepalive_limits = KeepaliveLimits(config)
        self._deflate = deflate_settings(config)
        self._http1_limits = http1_limits(config)
        self.http2_limits = http2_limits(config)
        self._http1_engine = None if config.http1_engine == "auto" else config.http1_engine
        self.http2_engine = None if config.http2_engine == "auto" else config.http2_engine
        self.rounds = WakeupCoalescer(loop)
        self.turns = Turns(loop)
        self.end_of_turn = EndOfTurn(loop, config.write_buffer_size)
        self.meter = Meter() if telemetry.metered else None
        self._own_headers: Headers = []
        self._own_fields = ResponseFields()
        self._date_until = 0.0
        self._server = config.server_name.encode("latin-1")
        self._idle_waiters: Waiters | None = None
        self._warned: dict[str, float] = {}
        telemetry.register("server", self)

    def _fronted(self, config: Config) -> ASGIApp:
        """The application, behind what the server answers in its place."""
        app = config.app
        header = config.proxy_address_header
        if self.proxies is not None and self.admission.most_per_address:
            app = ClientLimitMiddleware(app, self.admission.most_per_address, self.proxies, header)
        if self.proxies is not None and header is not None and header.lower() == FORWARDED:
            app = ForwardedGuard(app, self.proxies.misreads)
        return Health(app, config.health_path, lambda: self.stopping) if config.health_path else app

    def believes_root_path(self, peer: Address | None) -> bool:
        """Whether a peer may say under which path it serves the application."""
        return self.config.root_path_header and self.proxies is not None and self.proxies.trusts(peer)

    def new_http1(self) -> HTTP1Connection:
        """Return the protocol engine of a new HTTP/1.1 connection."""
        return HTTP1Connection(
            self._http1_limits, require_host=self.config.require_host, engine=self._http1_engine
        )

    def agree_on_deflate(self, handshake: Handshake) -> DeflateParameters | None:
        """Return how messages of a new WebSocket are compressed; None for not at all."""
        if self._deflate is None or not handshake.extensions:
            return None
        return negotiate(handshake.extensions, self._deflate)

    def refusal_of(self, host: str | None, fileno: int) -> str | None:
        """Judge a connection that is among ``connections`` or ``arriving`` already.

        Args:
            host: the peer's address; None on a Unix socket.
            fileno: of its socket.

        Returns:
            Why it is refused: "descriptors", "total" or "address". None: it is counted, until it
            leaves ``admission``.
        """
        if self.is_last_descriptor(fileno, host):
            return "descriptors"
        refused = self.admission.enter(host, len(self.connections) + len(self.arriving))
        if refused is not None:
            self._count_refused(refused, host)
        return refused

    def is_last_descriptor(self, fileno: int, host: str | None) -> bool:
        """Whether a new socket took one of the descriptors that are kept; counted as a refusal."""
        if fileno <= self._last_descriptor:
            return False
        self._count_refused("descriptors", host)
        return True

    def is_crowded(self, client: list[Any] | None) -> bool:
        """Whether so many applications run for a client which has left them that it gets no more; counted."""
        if client is None or not self.admission.is_crowded(client[0]):
            return False
        self._count_refused("address", client[0])
        return True

    def takes_stream(self, client: list[Any]) -> bool:
        """Whether an address may have one more stream of HTTP/2; then it is counted, else its refusal is."""
        host = client[0]
        if self.admission.streams.enter(host):
            return True
        telemetry.count("server.stream_refused", client=host)
        self.warn_rarely("streams", _REFUSED_STREAM, host)
        return False

    def _count_refused(self, reason: str, host: str | None) -> None:
        telemetry.count("server.connection_refused", reason=reason, client=host)
        self.warn_rarely(reason, _REFUSED[reason], host)

    def warn_rarely(self, subject: str, text: str, *arguments: object, exc_info: bool = False) -> None:
        """Log a warning, at most once a minute for each subject; ``exc_info``: with the traceback."""
        if self.timers.now >= self._warned.get(subject, 0.0):
            self._warned[subject] = self.timers.now + _WARN_INTERVAL
            logger.warning(text, *arguments, exc_info=exc_info)

    def own_headers(self) -> Headers:
        """Return the headers that the server adds: Date (RFC 9110 6.6.1) and Server; the list is shared."""
        if self.timers.now >= self._date_until:
            self._tell_time()
        return self._own_headers

    def own_fields(self) -> ResponseFields:
        """Return :meth:`own_headers` as a value that each version of HTTP writes in its own form."""
        if self.timers.now >= self._date_until:
            self._tell_time()
        return self._own_fields

    def _tell_time(self) -> None:
        date = formatdate(time.time(), usegmt=True).encode("ascii")
        self._date_until = self.timers.now + 1.0
        self._own_headers = [(b"date", date)] + ([(b"server", self._server)] if self._server else [])
        self._own_fields = ResponseFields(tuple(self._own_headers))

    def log(self, protocol: str, action: str, details: Callable[[], dict[str, Any]]) -> None:
        """Write a line of the access log, if there is one; a disk that is full stops no request."""
        if self.config.action_logger is None:
            return
        try:
            self.config.action_logger(protocol, action, details())
        except Exception as error:
            telemetry.count("server.access_log_failed", reason=type(error).__name__)
            self.warn_rarely(
                "access log",
                "Lines of the access log are lost: %s: %s. Look for a full disk or a pipe that nobody reads.",
                type(error).__name__,
                error,
                exc_info=not isinstance(error, OSError),
            )

    def left(self) -> None:
        """Wake :meth:`wait_idle`, if the last connection and the last application have ended."""
        if self._idle_waiters is not None and not self.connections and not self.streams:
            self._idle_waiters.wake()

    async def wait_idle(self) -> None:
        """Wait until no connection is open and no application runs."""
        while self.connections or self.streams:
            waiters = self._idle_waiters = self._idle_waiters or Waiters()
            await waiters.wait()

    def statistics(self) -> dict[str, int]:
        """Return counts: what is alive now, and what was served since the start."""
        return {
            "connections": len(self.connections),
            "applications": len(self.streams),
            "timers": len(self.timers),
            "accepted": self.accepted,
            "requests": self.requests,
            "websockets": self.websockets,
            "tcp_connections": self.tcp_connections,
        }
