"""Notices that a peer has closed while nobody reads what it sends.

An event loop tells of the end of a connection when it has read all that came before. A connection that is
not read, because its application is behind or because requests wait for their turn, would never hear of it.
So the kernel is asked about these connections, all of them in one system call; the others cost nothing. A
close comes behind all that was sent: of a connection that stays unread, some is read ahead, within limits.
"""

from __future__ import annotations

import logging
import select
import struct
from collections.abc import Iterable, Iterator
from typing import Protocol

try:
    import fcntl
    import termios
except ImportError:  # Windows, whose loop tells of a close when the connection is read again
    fcntl = termios = None  # type: ignore[assignment]

logger = logging.getLogger("channels.server")

#: How much one connection may be read ahead of its application so that its close can be seen, in bytes.
AHEAD = 1_048_576
#: And how much all of them.
SPARE = 64 * AHEAD
#: Ticks of the timers from one look to the next: half a second.
EACH = 2
# Elsewhere than on Linux a close shows as POLLHUP, which is always told.
_CLOSED = getattr(select, "POLLRDHUP", 0)


class UnreadConnection(Protocol):
    """A connection that does not hear of its end."""

    @property
    def fileno(self) -> int:
        """The descriptor of its socket; -1 if it has none any more."""
        ...

    def peer_closed(self, *, reset: bool) -> None:
        """The peer has closed; ``reset``: both ways."""
        ...

    def read_ahead(self) -> bool:
        """A close may be behind what is not read: read some of it; returns whether it is read now."""
        ...


class ClosedPeers:
    """The connections that would not hear of their end."""

    def __init__(self) -> None:
        self._spare = SPARE
        self._unread: set[UnreadConnection] = set()
        self._before: set[UnreadConnection] = set()
        self._reading: set[UnreadConnection] = set()
        self._ticks = 0

    def add(self, connection: UnreadConnection) -> None:
        """Look after a connection from now on, until :meth:`discard`."""
        self._unread.add(connection)

    def discard(self, connection: UnreadConnection) -> None:
        """Look after a connection no longer: it is read again, or is gone."""
        self._unread.discard(connection)

    def __len__(self) -> int:
        return len(self._unread)

    @property
    def spare(self) -> int:
        """How many bytes may still be read ahead."""
        return self._spare

    def read_ahead(self, size: int) -> bool:
        """Count bytes that a connection has read ahead of its application; False if none may be read now."""
        self._spare -= size
        return self._spare > 0

    def taken(self, size: int) -> None:
        """Give bytes back: their application has them, or never will."""
        self._spare += size

    def on_tick(self) -> None:
        """Ask the kernel at every second tick, if there is a connection to ask about."""
        self._ticks += 1
        if self._ticks % EACH:
            # The close of a connection that reads ahead can be seen by now, and is late already.
            if self._reading:
                self._tell(self._reading & self._unread)
                self._reading = set()
        elif self._unread or self._before:
            self.look()

    def look(self) -> None:
        """Tell those whose peers have closed, as the kernel knows; let the others read ahead."""
        still_open = self._tell(self._unread)
        self._reading = {each for each in still_open if each in self._before and self._reads_ahead(each)}
        self._before = self._unread.copy()

    def _tell(self, connections: set[UnreadConnection]) -> list[UnreadConnection]:
        """Tell those of ``connections`` whose peers have closed, and return the others."""
        asked = {number: each for each in connections if (number := each.fileno) >= 0}
        closed = dict(_closed(asked))
        for number, both in closed.items():
            try:
                asked[number].peer_closed(reset=both)
            except Exception:
                # What goes wrong for one must not keep the others from being told.
                logger.exception("The end of a connection could not be told.")
        return [each for number, each in asked.items() if number not in closed]

    def _reads_ahead(self, connection: UnreadConnection) -> bool:
        try:
            return self._spare > 0 and connection.read_ahead()
        except Exception:
            logger.exception("A connection could not be read ahead.")
            return False


def _closed(numbers: Iterable[int]) -> Iterator[tuple[int, bool]]:
    """Return the sockets whose peers have closed, and whether they have both ways."""
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    for number in numbers:
        poll.register(number, _CLOSED)
    for number, state in poll.poll(0):
        yield number, bool(state & select.POLLERR)


def unread_bytes(fileno: int) -> int:
    """Return how many bytes wait in the kernel to be read from a socket; 0 where it cannot be asked."""
    if fcntl is None:
        return 0
    (number,) = struct.unpack("i", fcntl.ioctl(fileno, termios.FIONREAD, b"\0\0\0\0"))
    return int(number)
