"""Writing: what is written in one turn of the loop leaves in one piece, as one system call.

A turn often writes several times to a connection: head and body of a response, the answers to messages that
were read at once, what a room says.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Flushable(Protocol):
    """Something that collects what it writes during one turn of the loop."""

    def flush(self) -> None:
        """Hand over what was collected."""
        ...


class EndOfTurn:
    """Flushes, after a turn of the loop, whoever has collected something in it.

    Args:
        loop: the event loop; to be used from its thread only.
        most_collected: bytes that one writer may collect: a turn may write without end, and the transport is
            who notices congestion.
    """

    __slots__ = ("_loop", "_writers", "most_collected")

    def __init__(self, loop: asyncio.AbstractEventLoop, most_collected: int) -> None:
        self._loop, self.most_collected = loop, most_collected
        self._writers: list[Flushable] = []

    def flush(self, writer: Flushable) -> None:
        """Flush ``writer`` once, after this turn of the loop."""
        writers = self._writers
        if not writers:
            self._loop.call_soon(self._flush)
        writers.append(writer)

    def _flush(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


class WritingHalf:
    """The half of a connection that writes.

    Attributes:
        closing: we have closed: nothing is written any more.
    """

    __slots__ = ("_behind", "_behind_size", "_end_of_turn", "_out", "_transport", "closing")

    closing: bool
    _transport: asyncio.Transport
    _end_of_turn: EndOfTurn
    #: What was written first in this turn, which mostly is all; and what was written behind it.
    _out: bytes
    _behind: list[bytes] | None
    #: Of a list; summing up the list with each write would take long where there are many.
    _behind_size: int

    def write(self, data: bytes) -> None:
        """Send ``data`` after this turn of the loop, together with what else is written in it."""
        if self.closing:
            return
        if self._out:
            self._write_behind(data)
            return
        self._out = data
        if len(data) > self._end_of_turn.most_collected:
            self.flush()
        else:
            self._end_of_turn.flush(self)

    def _write_behind(self, data: bytes) -> None:
        if self._behind is None:
            self._behind, self._behind_size = [], 0
        self._behind.append(data)
        self._behind_size += len(data)
        if len(self._out) + self._behind_size > self._end_of_turn.most_collected:
            self.flush()

    def write_now(self, data: bytes) -> None:
        """Send ``data`` at once, together with what was collected."""
        if self._out:
            self.write(data)
            self.flush()
        elif not self.closing:
            self._transport.write(data)

    def flush(self) -> None:
        """Give the transport what was collected, in one piece."""
        if data := self._out:
            self._out = b""
            if self._behind is not None:
                data, self._behind = b"".join((data, *self._behind)), None
            self._transport.write(data)

    def discard_output(self) -> None:
        """Forget what was collected: nobody is there to read it."""
        self._out, self._behind = b"", None

    @property
    def unsent(self) -> int:
        """How many bytes wait to be written."""
        collected = len(self._out) + (0 if self._behind is None else self._behind_size)
        return collected + (0 if self.closing else self._transport.get_write_buffer_size())
