"""Where Prometheus reads: an ASGI application, for a port of its own or a path, and a view of Django."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

from channels import conf
from channels.observability.metrics import activation
from channels.observability.metrics.counting.recorder import recorder
from channels.observability.metrics.directory import Directory, MetricsUnavailable
from channels.observability.metrics.exposition import render
from channels.observability.metrics.guard import may_read
from channels.observability.metrics.samples import Samples
from channels.typing import Headers, Receive, Scope, Send

#: Status, body, content type.
Answer: TypeAlias = tuple[int, bytes, str]

_TEXT = "text/plain; charset=utf-8"


class MetricsApplication:
    """An ASGI application that shows the figures of all processes of this machine.

    Args:
        directory: where they are; None: that of this process, by the environment or the settings.
        guarded: whether only this machine may read where no token is set. Not on a port of its own: whoever
            opens one says to whom.
    """

    def __init__(self, directory: Directory | None = None, *, guarded: bool = True) -> None:
        self._directory, self._guarded = directory, guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            raise ValueError("This application has no lifespan.")
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, self._answer, scope["method"], headers, client)
        await _send(send, *found)

    def _answer(self, method: str, headers: Mapping[str, str], client: Any) -> Answer:
        if method not in ("GET", "HEAD"):
            return 405, b"Metrics are read: GET.\n", _TEXT
        address = client[0] if client else None
        return answer(headers, address, self._directory, guarded=self._guarded)


_REFUSED = (
    b"Metrics are shown to this machine, or to whoever has the token: set CHANNELS_METRICS_TOKEN (or "
    b"CHANNELS_METRICS['TOKEN']), and send it as Authorization: Bearer.\n"
)


def figures(directory: Directory | None = None) -> Samples:
    """Return the figures of all processes of this machine.

    Args:
        directory: where they are; None: that of this process.

    Raises:
        MetricsUnavailable: nothing is counted, or the directory is not to be had.
    """
    counting = recorder()
    if directory is not None:
        if counting is not None:
            counting.write()
        return directory.read()
    if counting is not None:
        return counting.total()
    there = activation.directory() if conf.metrics() is not None else None
    if there is None:
        raise MetricsUnavailable(
            "Nothing is counted here. Set CHANNELS_METRICS = True, and have 'channels' in INSTALLED_APPS; or "
            "start daphne with --metrics-port."
        )
    return there.read()


def answer(
    headers: Mapping[str, str],
    address: str | None,
    directory: Directory | None = None,
    *,
    guarded: bool = True,
) -> Answer:
    """Return status, body and content type for whoever asks.

    Args:
        headers: of the request, by names in lower case.
        address: of its peer; None on a Unix socket.
        directory: see :class:`MetricsApplication`.
        guarded: likewise.
    """
    kept = conf.metrics()
    token = "" if kept is None else kept.token
    if (token or guarded) and not may_read(token, headers, address):
        return 403, _REFUSED, _TEXT
    try:
        return 200, *render(figures(directory), headers.get("accept", ""))
    except MetricsUnavailable as error:
        return 503, f"{error}\n".encode(), _TEXT


async def _send(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers: Headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
