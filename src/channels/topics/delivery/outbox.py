"""What leaves for one client: in one frame per turn of the loop, held back while the client does not read."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from channels import telemetry
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

    What waits under a key of its own is left out first: see :meth:`put`.

    Attributes:
        framing: see above.
        direct: ``write_direct`` while nothing waits; else it refuses.
        overflowed: called when more would wait than may.
    """

    __slots__ = (
        "_limit",
        "_numbers",
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
        self._waiting: dict[Hashable, bytes] = {}
        self._numbers = itertools.count()
        self._size = 0
        self._writer: asyncio.Task[None] | None = None

    @property
    def room(self) -> int:
        """Bytes that may still be put."""
        return self._limit - self._size

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._size

    def put(self, data: bytes, slot: str = "", droppable: bool = False) -> None:
        """Have messages leave behind all that waits, at the end of this turn of the loop.

        Args:
            data: the messages.
            slot: what waits in this slot is left out: these take its place.
            droppable: these may be left out, the oldest first, before there is too much.
        """
        if slot and slot in self._waiting:
            self._leave_out(slot)
            telemetry.count("topics.slow_client_replaced")
        self._waiting[slot or self._key(droppable)] = data
        self._size += len(data)
        while self._size > self._limit and (oldest := self._oldest_droppable()) is not None:
            self._leave_out(oldest)
            telemetry.count("topics.slow_client_dropped")
        if self._size > self._limit:
            self._waiting.clear()
            self.overflowed()
        elif len(self._waiting) == 1 and self._writer is None:
            self.direct = refuse
            asyncio.get_running_loop().call_soon(self._flush)

    def _key(self, droppable: bool) -> Hashable:
        number = next(self._numbers)
        return (number,) if droppable else number

    def _oldest_droppable(self) -> Hashable | None:
        return next((key for key in self._waiting if isinstance(key, tuple)), None)

    def _leave_out(self, key: Hashable) -> None:
        self._size -= len(self._waiting.pop(key))

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
        messages: list[bytes] = []
        size = 0
        for key, data in list(self._waiting.items()):
            if messages and size + len(data) > FRAME_SIZE:
                break
            messages.append(self._waiting.pop(key))
            size += len(data)
        self._size -= size
        return self.framing.frame(messages)


class _ClosedOutbox(Outbox):
    """Takes everything and does nothing: what is on its way is not for somebody who has left."""

    def __init__(self) -> None:
        self.direct = _take

    def put(self, data: bytes, slot: str = "", droppable: bool = False) -> None:
        """Drop it."""


def _take(broadcast: Broadcast) -> bool:
    return True


def _do_nothing() -> None:
    """Nobody wants to know."""


#: In the place of the outbox of a client whose subscription has ended.
closed_outbox: Final = _ClosedOutbox()
