"""Whether this process takes requests, for load balancers and orchestrators: a path, or a port of its own.

A path is answered by the server itself, beside the application's. A port is a small server of
its own in the same event loop: it is there before the application has started, and until it
has ended, which a path cannot be.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.process import readiness
from channels.server.config import Config
from channels.server.endpoints.endpoints import endpoint_strings
from channels.typing import ASGIApp, Receive, Scope, Send

#: On the health port: answered 200 for as long as the event loop turns. Every other path is readiness.
LIVE_PATH = "/live"
#: What keeps a process from taking requests.
STARTING, DRAINING = "starting", "draining"

_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


class Health:
    """An application in front of the application: it answers one path itself.

    200 while the server serves; 503 from the moment it was told to stop, and while something in
    this process (:mod:`channels.process.readiness`) says that it cannot answer, with that reason.

    Args:
        app: answers everything else.
        path: the path, as a scope has it.
        is_stopping: returns whether the server was told to stop.
    """

    def __init__(self, app: ASGIApp, path: str, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._path = path
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        await _answer(send, DRAINING if self._is_stopping() else readiness.obstacle())


class Probe:
    """The application of the health port.

    Args:
        obstacle: returns what keeps the process from taking requests, :data:`STARTING` or
            :data:`DRAINING`; "" for nothing.
    """

    def __init__(self, obstacle: Callable[[], str]) -> None:
        self._obstacle = obstacle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "http":
            await _answer(send, "" if scope["path"] == LIVE_PATH else self._obstacle())


def probe_config(bind: str, port: int, obstacle: Callable[[], str]) -> Config:
    """Return the settings of the server on the health port.

    Args:
        bind: the address, as --health-bind.
        port: 0 for one that is free.
        obstacle: as :class:`Probe` takes it.
    """
    return side_config(bind, port, Probe(obstacle))


def side_config(bind: str, port: int, app: ASGIApp) -> Config:
    """Return the settings of a small server beside the application's, in the same event loop.

    Args:
        bind: the address.
        port: 0 for one that is free.
        app: what answers there.
    """
    return Config(
        app=app,
        endpoints=tuple(endpoint_strings(bind, port)),
        lifespan="off",
        loop_held_limit=None,  # the server beside it looks at the same loop
        http2=False,
        # Nobody is waited for: who asks knows the answer 503 by now.
        drain_timeout=0.0,
        drain_idle_timeout=0.0,
        head_timeout=5.0,
        max_connections=100,
        max_connections_per_address=0,
    )


async def _answer(send: Send, obstacle: str) -> None:
    status, word = (503, obstacle) if obstacle else (200, "ok")
    await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": f"{word}\n".encode()})
