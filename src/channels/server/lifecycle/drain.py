"""Drain: the server ends what runs before it stops, gently and not all at once.

Clients of a server that restarts connect again. Ten thousand whose WebSockets are closed in the
same moment connect again in the same moment, so the drain closes WebSockets in batches over most of
the time there is. Requests finish; a connection that waits for its next one may still send it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Coroutine
from typing import Any, TypeGuard

from channels import telemetry
from channels.process.exit import CANCELLED, EXIT, gentle_part
from channels.server.asgi.tcp.stream import TCPStream
from channels.server.asgi.websocket import WebSocketStream
from channels.server.connection.http2 import HTTP2Handler
from channels.server.runtime import OpenConnection, Runtime

logger = logging.getLogger("channels.server")

#: Seconds between two batches of WebSockets.
INTERVAL = 0.1
#: WebSockets in the smallest batch: when so few connect again at once, nobody notices.
SMALLEST_BATCH = 25
#: The part of the time that batches are spread over; the rest is for the last of them to end.
SPREAD = 0.75
#: Seconds to spread over where there is no limit.
UNLIMITED_SPREAD = 30.0
#: Seconds that applications get to act on their disconnect; on their cancellation they get CANCELLED.
LAST_MOMENT = 0.75
#: Seconds before the end of ``drain_timeout`` at which what is left is cut, so that all has ended in time.
CUT = LAST_MOMENT + CANCELLED + EXIT
#: Turns of the loop until each connection that the kernel had accepted already is known to us.
_ARRIVAL_TURNS = 5
#: What does not end by itself, and is told in batches that it has to.
_LONG_LIVED = (WebSocketStream, TCPStream)


class Drain:
    """Ends everything that runs in one server process.

    Args:
        runtime: the process; its ``stopping`` is set, and nobody listens any more.
        hurry: once it is set, nobody is waited for any more.
    """

    def __init__(self, runtime: Runtime, hurry: asyncio.Event) -> None:
        self._runtime = runtime
        self._hurry = hurry
        self._limit = gentle_part(runtime.config.drain_timeout, CUT)
        self._spread = UNLIMITED_SPREAD if self._limit is None else SPREAD * self._limit
        idle_limit = runtime.config.drain_idle_timeout
        self._idle_limit = self._spread if idle_limit is None else min(self._spread, idle_limit)

    async def run(self) -> None:
        """Return when no connection is open and no application runs that heeds its cancellation."""
        rounds = [asyncio.ensure_future(self._close_websockets()), asyncio.ensure_future(self._close_idle())]
        try:
            await self._until_idle(self._everything_ended(), self._limit)
        finally:
            for task in rounds:
                task.cancel()
        await self._force_close()

    async def _everything_ended(self) -> None:
        """Wait also for connections that the kernel has accepted and the loop has not handed over yet."""
        for _ in range(_ARRIVAL_TURNS):
            await asyncio.sleep(0)
        for _ in range(int(self._idle_limit / INTERVAL)):
            if not self._runtime.arriving:
                break
            await asyncio.sleep(INTERVAL)
        await self._runtime.wait_idle()

    async def _close_websockets(self) -> None:
        """Close in batches; what opens in the meantime is in the next one, what is undecided in the last."""
        runtime, loop = self._runtime, self._runtime.loop
        end = loop.time() + self._spread
        while (left := end - loop.time()) > 0:
            waiting = [stream for stream in runtime.streams if _is_open(stream)]
            batch = max(SMALLEST_BATCH, -(-len(waiting) // max(1, int(left / INTERVAL))))
            for stream in waiting[:batch]:
                stream.stop()
            if waiting:
                telemetry.emit("server.drained", closed=min(batch, len(waiting)), left=len(waiting[batch:]))
            await asyncio.sleep(INTERVAL)
        for other in list(runtime.streams):
            if isinstance(other, _LONG_LIVED):
                other.stop()

    async def _close_idle(self) -> None:
        """Tell connections to take no more requests; late ones when they come.

        HTTP/2 can say so without losing what is on its way, and does at once.
        """
        for connection in list(self._runtime.connections):
            if isinstance(connection.handler, HTTP2Handler):
                connection.stop()
        await asyncio.sleep(self._idle_limit)
        told: weakref.WeakSet[OpenConnection] = weakref.WeakSet()
        while True:
            for connection in set(self._runtime.connections).difference(told):
                if not isinstance(connection.handler, _LONG_LIVED):
                    connection.stop()
                    told.add(connection)
            await asyncio.sleep(INTERVAL)

    async def _force_close(self) -> None:
        """Cut what is left: first the connections, so that applications hear of it, then those too."""
        runtime = self._runtime
        for connection in list(runtime.connections):
            telemetry.count("server.drain_cut", client=connection.client)
            connection.abort()
        await self._until_idle(runtime.wait_idle(), LAST_MOMENT)
        for stream in list(runtime.streams):
            stream.kill("in the time there was to stop the server (--drain-timeout)")
        # Those who were cancelled clean up, however great the hurry.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runtime.wait_idle(), CANCELLED)
        for stream in runtime.streams:
            logger.error("The application ignores its cancellation and is left behind: %s", stream.label)

    async def _until_idle(self, idle: Coroutine[Any, Any, None], limit: float | None) -> None:
        """Wait until nothing runs any more, the limit is up, or somebody is in a hurry."""
        waits = [asyncio.ensure_future(idle), asyncio.ensure_future(self._hurry.wait())]
        try:
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _is_open(stream: object) -> TypeGuard[WebSocketStream | TCPStream]:
    return isinstance(stream, _LONG_LIVED) and stream.is_open
