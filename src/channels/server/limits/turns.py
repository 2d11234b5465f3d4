"""Fair reading: how much of a connection is parsed in a turn of the event loop, and who goes on next.

A socket hands over as much as its peer has sent: under uvloop 256 kB at a time, up to 32 times in one turn.
That holds a million tiny frames, and parsing them takes seconds. So each reader parses :data:`QUANTUM`
frames and leaves the rest in its buffer; its socket is not read meanwhile. Readers with a rest go on in the
next turns, round robin, as many as fit into :data:`ROUND` frames, however many wait. Between two turns the
loop polls all other sockets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

#: Frames that a reader parses at once: those of WebSocket and HTTP/2, and chunks of HTTP/1.1. A large one
#: counts as several.
QUANTUM: Final = 32
#: Frames that all readers with a rest parse in one turn of the loop: half a millisecond to two.
ROUND: Final = 96
#: What it costs that a reader goes on, in frames: its socket hands over the next bytes at once.
GO_ON: Final = 8
#: A read of so many bytes ends a connection's reading for this turn of the loop. libuv reads on in the same
#: turn when a read has filled its buffer.
FULL_READ: Final = 131_072


class Reader(Protocol):
    """A reader that has left unparsed bytes in its buffer."""

    def read_on(self) -> None:
        """Parse the next frames; harmless if there are none, or if the reader has ended."""
        ...


class Turns:
    """The queue of readers that go on in the next turns of the loop.

    Args:
        loop: the event loop; to be used from its thread only.

    Attributes:
        frames: how many frames all readers have parsed since the start; readers add to it.
    """

    __slots__ = ("_loop", "_waiting", "frames")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Reader] = deque()
        self.frames = 0

    def later(self, reader: Reader) -> None:
        """Let ``reader`` go on in a later turn; it asks once for each time."""
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting.append(reader)

    def _turn(self) -> None:
        """Let the readers that wait now go on; one that asks again meanwhile waits for the next turn."""
        end, now = self.frames + ROUND, self._waiting
        self._waiting = deque()
        try:
            while now and self.frames < end:
                self.frames += GO_ON
                now.popleft().read_on()
        finally:
            # Also where a reader has raised: the others keep their turn.
            again, self._waiting = self._waiting, now
            now.extend(again)
            if now and not again:
                self._loop.call_soon(self._turn)
