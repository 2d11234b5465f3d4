"""What leaves for one client: in one frame per turn of the loop, held back while the client does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from channels.core.broadcast import Broadcast, FastlaneWrite
from channels.topics.delivery.frames import Frame, Framing

#: Bytes in one frame, where several messages leave together.
FRAME_SIZE = 65_536


def refuse(broadcast: Broadcast) -> bool:
    """Write nothing: something waits, which has to leave first."""
    return False


class Outbox:
    """The messages for one client that have not left yet.

    Args:
        framing: of the transport.
        write_direct: writes to the socket at once, if it can.
        write: writes, and waits while the client does not read.
        limit: bytes that may wait.

    Attributes:
        framing: see above.
        direct: ``write_direct`` while nothing waits; else it refuses.
        overflowed: called when more would wait than may.
    """

    __slots__ = (
        "_limit",
        "_size",
        "_waiting",
        "_write",
        "_write_direct",
        "_writer",
        "direct",
        "framing",
        "overflowed",
    )

    def __init__(
        self,
        framing: Framing,
        write_direct: FastlaneWrite,
        write: Callable[[Frame], Awaitable[None]],
        limit: int,
    ) -> None:
        self.framing = framing
        self.direct = self._write_direct = write_direct
        self._write = write
        self._limit = limit
        self.overflowed: Callable[[], None] = _do_nothing
        self._waiting: list[bytes] = []
        self._size = 0
        self._writer: asyncio.Task[None] | None = None

    def put(self, data: bytes) -> None:
        """Have messages leave behind all that waits, at the end of this turn of the loop."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self._waiting.clear()
            self.overflowed()
        elif len(self._waiting) == 1 and self._writer is None:
            self.direct = refuse
            asyncio.get_running_loop().call_soon(self._flush)

    async def drain(self) -> None:
        """Wait until everything has left, or cannot."""
        self._flush()
        if self._writer is not None:
            await asyncio.wait([self._writer])

    def close(self) -> None:
        """Let nothing more leave."""
        self._waiting.clear()
        self._limit, self.overflowed = -1, _do_nothing
        self.direct = self._write_direct = refuse
        if self._writer is not None:
            self._writer.cancel()

    def _flush(self) -> None:
        """Write what waits; with a task where the socket does not take it at once."""
        if self._writer is None and self._waiting:
            frame = self._take()
            while self._write_direct(frame.broadcast):
                if not self._waiting:
                    self.direct = self._write_direct
                    return
                frame = self._take()
            self._writer = asyncio.create_task(self._write_all(frame))

    async def _write_all(self, frame: Frame) -> None:
        try:
            await self._write(frame)
            while self._waiting:
                await self._write(self._take())
        finally:
            self._writer = None
            self.direct = self._write_direct

    def _take(self) -> Frame:
        """Take as many messages as one frame may hold, one at least."""
        size = amount = 0
        while amount < len(self._waiting) and (not amount or size + len(self._waiting[amount]) <= FRAME_SIZE):
            size += len(self._waiting[amount])
            amount += 1
        messages = self._waiting[:amount]
        del self._waiting[:amount]
        self._size -= size
        return self.framing.frame(messages)


class _ClosedOutbox(Outbox):
    """Takes everything and does nothing: what is on its way is not for somebody who has left."""

    def __init__(self) -> None:
        self.direct = _take

    def put(self, data: bytes) -> None:
        """Drop it."""


def _take(broadcast: Broadcast) -> bool:
    return True


def _do_nothing() -> None:
    """Nobody wants to know."""


#: In the place of the outbox of a client whose subscription has ended.
closed_outbox: Final = _ClosedOutbox()
