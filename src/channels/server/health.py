"""A path that says whether this process takes requests, for load balancers and orchestrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.typing import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from channels.server.runtime import Runtime

_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


class Health:
    """An application in front of the application: it answers one path itself.

    200 while the server serves, 503 from the moment it was told to stop.

    Args:
        app: answers everything else.
        path: the path, as a scope has it.
        runtime: knows whether the server is stopping.
    """

    def __init__(self, app: ASGIApp, path: str, runtime: Runtime) -> None:
        self._app = app
        self._path = path
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        status, body = (503, b"draining\n") if self._runtime.stopping else (200, b"ok\n")
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": body})
