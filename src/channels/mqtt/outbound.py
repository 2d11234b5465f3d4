"""What is written to one client: all of a turn of the loop leaves in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.mqtt.streams import ByteStream


class Outbound:
    """Writes at once what the stream takes at once; what has to wait is written by a task, while it does.

    Args:
        stream: of the client.
        most: bytes that may wait before it is congested.
        on_room: called when what waited has been written.
    """

    __slots__ = ("_closing", "_most", "_on_room", "_size", "_stream", "_task", "_waiting")

    def __init__(self, stream: ByteStream, most: int, on_room: Callable[[], None]) -> None:
        self._stream = stream
        self._most = most
        self._on_room = on_room
        self._waiting: list[bytes] | None = None
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def congested(self) -> bool:
        """Whether the client does not read what waits for it."""
        return self._size >= self._most

    def put(self, data: bytes) -> None:
        """Send ``data`` after this turn of the loop; nothing once it is closed."""
        if self._closing is not None or (self._waiting is None and self._stream.write_nowait(data)):
            return
        if self._waiting is None:
            self._waiting = []
            self._task = asyncio.get_running_loop().create_task(self._write_waiting())
        self._waiting.append(data)
        self._size += len(data)

    async def _write_waiting(self) -> None:
        while self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            await self._stream.write(data)
            self._size -= len(data)
            if self._closing is None:
                self._on_room()
        self._waiting = self._task = None

    async def room(self) -> None:
        """Wait until the client has read what waits for it, or can no longer."""
        while self.congested and self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def aclose(self, limit: float) -> None:
        """Write what waits, for at most ``limit`` seconds, and close the connection."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(limit))
        await asyncio.wait([self._closing])

    async def _close(self, limit: float) -> None:
        if (task := self._task) is not None:
            await asyncio.wait([task], timeout=limit)
            task.cancel()
        await self._stream.close()
