"""The half of a connection that reads: whether it does, how far ahead, and what it knows of its peer."""

from __future__ import annotations

from abc import abstractmethod

from channels.server.interfaces import Handler
from channels.server.io.closed_peers import AHEAD, unread_bytes
from channels.server.io.writing import WritingHalf
from channels.server.runtime import Runtime


class ReadingHalf(WritingHalf):
    """Reads what the handler takes, and little of what it does not take yet. The other half is its base.

    Attributes:
        finished: the peer sends nothing more: it has closed, at least its half.
        handler: understands what is read.
    """

    __slots__ = (
        "_ahead",
        "_eof",
        "_paused",
        "_reading",
        "_reads_ahead",
        "_resting",
        "finished",
        "handler",
        "runtime",
    )

    finished: bool
    handler: Handler
    _ahead: int
    runtime: Runtime
    _eof: bool
    _paused: bool
    _reading: bool
    _reads_ahead: bool
    _resting: bool

    @abstractmethod
    def abort(self) -> None:
        """Close at once."""

    @property
    def fileno(self) -> int:
        """The descriptor of the socket; -1 if it has none any more."""
        sock = self._transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def pause_reading(self) -> None:
        """Leave what the peer sends in the kernel; harmless if paused already, or if nothing more comes."""
        if not self._paused and not self.closing and not self.finished:
            self._paused, self._reads_ahead = True, False
            self.runtime.closed_peers.add(self)
            self._follow()

    def resume_reading(self) -> None:
        """Read again; harmless if not paused."""
        if self._paused and not self._transport.is_closing():
            self._paused = self._reads_ahead = False
            self._forget_ahead()
            self._follow()

    def read_later(self) -> None:
        """Read and parse no more in this turn of the loop: others have theirs before the handler goes on."""
        if not self._resting and not self._transport.is_closing():
            self._resting = True
            self._follow()
            self.runtime.turns.later(self)

    def read_on(self) -> None:
        """Let the handler parse its rest; when there is none any more, read again."""
        self._resting = False
        if not self.closing:
            self.handler.read_on()
        self._follow()

    def _follow(self) -> None:
        """Pause or resume the transport, as wanted; one that has read the end never reads again."""
        wanted = not self._resting and (not self._paused or self._reads_ahead)
        if wanted is self._reading or self._eof or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def watch_for_close(self) -> None:
        """Tell the handler of the close later, too: see :meth:`Handler.peer_closed`."""
        self.runtime.closed_peers.add(self)

    def peer_closed(self, *, reset: bool) -> None:
        """The peer has closed, and we do not read: nothing more can come; a small rest is read."""
        if reset:
            self.abort()
        elif self._paused and not self.finished and unread_bytes(self.fileno) <= AHEAD:
            self.finished = True
            self.resume_reading()
        elif not self.closing:
            self.handler.peer_closed()

    def read_ahead(self) -> bool:
        """Make room in the kernel, so that the peer's close can come; what is read waits with the handler."""
        if self._paused and not self._reads_ahead and self._ahead < AHEAD and not self.closing:
            self._reads_ahead = True
            self._follow()
            return True
        return False

    def _count_ahead(self, size: int) -> None:
        self._ahead += size
        more = self.runtime.closed_peers.read_ahead(size)
        if self._reads_ahead and not (more and self._ahead < AHEAD):
            self._reads_ahead = False
            self._follow()

    def _forget_ahead(self) -> None:
        """Give what was read ahead back to the others: the connection is read again, or is gone."""
        self.runtime.closed_peers.discard(self)
        self.runtime.closed_peers.taken(self._ahead)
        self._ahead = 0
