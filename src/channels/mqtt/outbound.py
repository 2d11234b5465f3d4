"""What waits to be written to one client: all of a turn of the loop leaves in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.mqtt.streams import ByteStream


class Outbound:
    """Collects what is sent, and writes it in a task of its own.

    Args:
        stream: of the client.
        most: bytes that may wait before it is congested.
        on_room: called when what waited has been written.
    """

    def __init__(self, stream: ByteStream, most: int, on_room: Callable[[], None]) -> None:
        self._stream = stream
        self._most = most
        self._on_room = on_room
        self._waiting: list[bytes] = []
        self._size = 0
        self._closing = False
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def congested(self) -> bool:
        """Whether the client does not read what waits for it."""
        return self._size >= self._most

    def put(self, data: bytes) -> None:
        """Send ``data`` after this turn of the loop; nothing once it is closed."""
        if not self._closing:
            self._waiting.append(data)
            self._size += len(data)
            self._wake.set()

    async def _run(self) -> None:
        while not self._closing or self._waiting:
            await self._wake.wait()
            self._wake.clear()
            data = b"".join(self._waiting)
            self._waiting.clear()
            if data:
                await self._stream.write(data)
            self._size -= len(data)
            if not self._closing:
                self._on_room()
        await self._stream.close()

    async def aclose(self, limit: float) -> None:
        """Write what waits, for at most ``limit`` seconds, and close the connection."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=limit)
        if not self._task.done():
            self._task.cancel()
            await self._stream.close()
