"""``daphne.server.Server``: the old keywords, on :class:`channels.server.server.Server`."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from channels.core.absent import explain_absent
from channels.core.private import PrivateField
from channels.server.config import ActionLogger, Config
from channels.server.control_channel import SupervisorLink
from channels.server.endpoints.endpoints import ListenError
from channels.server.lifecycle.lifespan import LifespanFailed
from channels.server.loops import event_loop
from channels.server.server import Server as WorkerServer
from channels.typing import ASGIApp

logger = logging.getLogger("daphne.server")


class Server:
    """A server of one process, with Daphne's keywords.

    Args:
        application: the ASGI application.
        endpoints: endpoint strings; see :func:`daphne.endpoints.build_endpoint_description_strings`.
        signal_handlers: stop on SIGINT and SIGTERM.
        action_logger: called as ``action_logger(protocol, action, details)``.
        http_timeout: seconds that the application may take to answer; None for no limit.
        request_buffer_size: the largest body in one ``http.request``, in bytes.
        websocket_timeout: seconds that a WebSocket may be open; -1 for no limit.
        websocket_connect_timeout: seconds that a handshake may take; -1 for no limit.
        ping_interval: seconds of silence before a ping; 0 for no pings.
        ping_timeout: seconds that a ping may stay without answer.
        root_path: ASGI's root_path.
        proxy_forwarded_address_header: the proxy header with the client's address.
        proxy_forwarded_port_header: the proxy header with its port.
        proxy_forwarded_proto_header: the proxy header with its scheme.
        verbosity: how much to tell, 0 to 3.
        websocket_handshake_timeout: as websocket_connect_timeout; the shorter one holds.
        websocket_max_message_size: bytes; 0 for no limit.
        websocket_max_frame_size: bytes; 0 for no limit.
        application_close_timeout: seconds that an application may run on after its client has gone.
        ready_callable: called without arguments once the server listens.
        server_name: the Server header; "" sends none.
        supervisor_link: the place of this process under a supervisor.
        options: any other field of :class:`channels.server.config.Config`.

    Attributes:
        listening_addresses: (host, port) of each TCP endpoint, while it runs.
        abort_start: it could not listen or start.
        abort_reason: one line that says why, or "".
    """

    abort_reason = ""

    def __init__(
        self,
        application: ASGIApp,
        endpoints: Sequence[str] | None = None,
        signal_handlers: bool = True,
        action_logger: ActionLogger | None = None,
        http_timeout: float | None = None,
        request_buffer_size: int = 8192,
        websocket_timeout: float = 86400,
        websocket_connect_timeout: float = 20,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 30,
        root_path: str = "",
        proxy_forwarded_address_header: str | None = None,
        proxy_forwarded_port_header: str | None = None,
        proxy_forwarded_proto_header: str | None = None,
        verbosity: int = 1,
        websocket_handshake_timeout: float = 5,
        websocket_max_message_size: int = 1048576,
        websocket_max_frame_size: int = 1048576,
        application_close_timeout: float = 10,
        ready_callable: Callable[[], Any] | None = None,
        server_name: str = "daphne",
        supervisor_link: SupervisorLink | None = None,
        **options: Any,
    ) -> None:
        self.application = application
        self.endpoints = list(endpoints or [])
        self.signal_handlers = signal_handlers
        self.action_logger = action_logger
        self.http_timeout = http_timeout
        self.request_buffer_size = request_buffer_size
        self.websocket_timeout = websocket_timeout
        self.websocket_connect_timeout = websocket_connect_timeout
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.root_path = root_path
        self.proxy_forwarded_address_header = proxy_forwarded_address_header
        self.proxy_forwarded_port_header = proxy_forwarded_port_header
        self.proxy_forwarded_proto_header = proxy_forwarded_proto_header
        self.verbosity = verbosity
        self.websocket_handshake_timeout = websocket_handshake_timeout
        self.websocket_max_message_size = websocket_max_message_size
        self.websocket_max_frame_size = websocket_max_frame_size
        self.application_close_timeout = application_close_timeout
        self.ready_callable = ready_callable
        self.server_name = server_name
        self.listening_addresses: list[tuple[str, int]] = []
        self.abort_start = False
        _runs.set(self, _Run(supervisor_link, options))
        if not self.endpoints:
            logger.error("No endpoints. This server will not listen on anything.")

    def config(self) -> Config:
        """Return the settings as :mod:`channels.server` takes them."""
        return config_of(self)

    def run(self) -> None:
        """Serve until stopped. What keeps it from starting is logged and sets ``abort_start``."""
        _runs.get(self).run(self)

    def stop(self) -> None:
        """Stop gracefully, from any thread; :meth:`run` returns when all is done."""
        _runs.get(self).stop()

    @property
    def connections(self) -> dict[Any, dict[str, Any]]:
        """What is alive: for each request or WebSocket its ``application_instance``, a task."""
        worker = _runs.get(self).worker
        streams = () if worker is None else worker.streams
        return {stream: {"application_instance": stream.task} for stream in streams}

    def application_checker(self) -> None:
        """Called each second while it serves, for subclasses; the server itself needs no checking."""

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Hand a line of the access log on; subclasses may do more with it."""
        if self.action_logger is not None:
            self.action_logger(protocol, action, details)


def config_of(server: Server) -> Config:
    """Return the settings as :mod:`channels.server` takes them."""
    handshake = [limit(server.websocket_connect_timeout), limit(server.websocket_handshake_timeout)]
    return Config(
        app=server.application,
        endpoints=tuple(server.endpoints),
        action_logger=server.log_action if server.action_logger is not None else None,
        http_timeout=limit(server.http_timeout),
        request_buffer_size=server.request_buffer_size,
        websocket_timeout=limit(server.websocket_timeout),
        websocket_connect_timeout=min((value for value in handshake if value is not None), default=None),
        ping_interval=limit(server.ping_interval),
        ping_timeout=limit(server.ping_timeout),
        root_path=server.root_path,
        proxy_address_header=server.proxy_forwarded_address_header,
        proxy_port_header=server.proxy_forwarded_port_header,
        proxy_proto_header=server.proxy_forwarded_proto_header,
        websocket_max_message_size=server.websocket_max_message_size,
        websocket_max_frame_size=server.websocket_max_frame_size,
        application_close_timeout=limit(server.application_close_timeout),
        server_name=server.server_name,
        **_runs.get(server).options,
    )


class _Run:
    """What a server runs on.

    Args:
        supervisor_link: the place of this process under a supervisor.
        options: further fields of Config.

    Attributes:
        worker: what serves; None before.
        latest: the loop of the server that was started last.
    """

    latest: ClassVar[asyncio.AbstractEventLoop | None] = None

    def __init__(self, supervisor_link: SupervisorLink | None, options: dict[str, Any]) -> None:
        self.options = options
        self.worker: WorkerServer | None = None
        self._supervisor_link = supervisor_link
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, server: Server) -> None:
        """Serve until stopped."""
        config = config_of(server)
        with event_loop(config.loop) as loop:
            self._loop = _Run.latest = loop
            try:
                loop.run_until_complete(self._serve(server, config))
            except (ListenError, LifespanFailed) as error:
                server.abort_start = True
                # A subclass may have a property of this name.
                vars(server)["abort_reason"] = str(error)
                logger.critical("%s", error)

    def stop(self) -> None:
        """Stop gracefully, from any thread."""
        if self._loop is not None and self.worker is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.worker.ask_to_stop)

    async def _serve(self, server: Server, config: Config) -> None:
        self.worker = WorkerServer(config, self._supervisor_link)
        in_main_thread = threading.current_thread() is threading.main_thread()
        listening = functools.partial(self._listening, server, self.worker)
        await self.worker.serve(listening, signals=server.signal_handlers and in_main_thread)

    def _listening(self, server: Server, worker: WorkerServer) -> None:
        server.listening_addresses = [pair for pair in worker.addresses if isinstance(pair, tuple)]
        for address in worker.addresses:
            where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else address
            # Once for all workers: their supervisor says it.
            logger.log(
                logging.INFO if self._supervisor_link is None else logging.DEBUG, "Listening on %s", where
            )
        if type(server).application_checker is not Server.application_checker:
            _tick(server)
        if server.ready_callable is not None:
            server.ready_callable()


_runs: PrivateField[_Run] = PrivateField("run", _Run(None, {}))


class _ServerLoop:
    """Stands for the event loop of the server that runs in this process, whichever that is at the time."""

    def __getattr__(self, name: str) -> Any:
        loop = _Run.latest
        if loop is None or loop.is_closed():
            raise RuntimeError(
                "twisted_loop is the event loop of the daphne.server.Server that runs in this process, and "
                "none does. In async code use asyncio.get_running_loop()."
            )
        return getattr(loop, name)


#: The loop of the server, for code that schedules work in it from other threads.
twisted_loop: Any = _ServerLoop()


def _tick(server: Server) -> None:
    server.application_checker()
    asyncio.get_running_loop().call_later(1, _tick, server)


def limit(value: float | None) -> float | None:
    """Return a time limit as Config takes it: a negative number is no limit."""
    return None if value is None or value < 0 else value


_REMEDY = (
    "it is Twisted's, which Fairway does without. The server runs in an asyncio event loop: twisted_loop "
    "stands for it. To see or change requests and responses, wrap the application in ASGI middleware."
)
#: Absent names of the original, with what to use.
ABSENT = dict.fromkeys(
    ("HTTPFactory", "WebSocketFactory", "current_reactor", "reactor", "serverFromString"), _REMEDY
)
explain_absent(__name__, ABSENT)
