"""More acceptors for one listening socket, while many connections wait at it.

libuv accepts one connection in each turn of its loop. When everybody comes at once each connection
then passes all its stages alone, between turns that do nothing else; accepted in handfuls they
pass them together, which takes a fifth to a third less time. An acceptor that finds nobody costs a
system call, so there is but one while connections come one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from channels.server.io.send_progress import unacknowledged
from channels.server.runtime import Runtime

#: How many acceptors there are beside the first while the socket is crowded.
MORE: Final = 15
#: Crowded is where so many connections came since the last look, and so many wait.
_CAME, _WAITING = 64, 4


class ExtraAcceptors:
    """What looks after one listening socket.

    Args:
        runtime: what the process shares.
        sock: the listening socket (TCP).
        listen: makes a server of a socket, which belongs to it.

    Attributes:
        more: the acceptors beside the first.
    """

    def __init__(
        self,
        runtime: Runtime,
        sock: socket.socket,
        listen: Callable[[socket.socket], Awaitable[asyncio.AbstractServer]],
    ) -> None:
        self.more: list[asyncio.AbstractServer] = []
        self._runtime = runtime
        self._socket = sock
        self._listen = listen
        self._first: asyncio.AbstractServer | None = None
        self._opening: asyncio.Task[None] | None = None
        self._seen = 0

    async def open(self) -> None:
        """Accept from now on."""
        self._first = await self._listen(self._socket)
        self._runtime.timers.at_tick.append(self.look)

    def close(self) -> None:
        """Accept nobody any more."""
        if self._first is not None:
            self._first.close()
            self._runtime.timers.at_tick.remove(self.look)
        self._close_more()

    def look(self) -> None:
        """Open or close extra acceptors by how crowded the socket is; called a few times a second."""
        came, self._seen = self._runtime.accepted - self._seen, self._runtime.accepted
        if came < _CAME:
            self._close_more()
        elif self._opening is None and unacknowledged(self._socket) >= _WAITING:
            self._opening = self._runtime.loop.create_task(self._open_more())

    async def _open_more(self) -> None:
        with contextlib.suppress(OSError):  # no descriptor is left: fewer will do
            for _ in range(MORE):
                another = self._socket.dup()
                try:
                    self.more.append(await self._listen(another))
                except BaseException:
                    another.close()
                    raise

    def _close_more(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        while self.more:
            self.more.pop().close()
