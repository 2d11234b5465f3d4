"""One process as the broker sees it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.send_buffer import WriteBuffer

#: Bytes read from one process before the others have their turn.
READ_SIZE = 256 * 1024


class Peer:
    """A connection from a process, or what is left of one that was cut off.

    Attributes:
        process: its identity, empty until it has said hello.
        pid: its number at the operating system.
        groups: the groups it has members in.
        features: what it can do beside what every release does.
        lost: messages it did not get since it was cut off.
        gone_since: when its connection was closed (monotonic seconds).
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock: socket.socket | None = sock
        self.process = ""
        self.pid = 0
        self.gone_since = 0.0
        self.groups: set[str] = set()
        self.features: list[str] = []
        self.lost = 0
        self.queue = WriteBuffer()
        self.queue.append(wire.PREAMBLE)
        self._reader = wire.FrameReader(wire.MAX_FRAME)

    def read(self) -> Iterator[wire.AnyFrame]:
        """Yield the frames that have arrived.

        Raises:
            EOFError: the process has closed the connection, or ended.
            WireError: it speaks something else.
        """
        if self.sock is None:
            return
        try:
            data = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise EOFError
        yield from self._reader.receive_data(data)

    def send(self, frame: bytes) -> None:
        """Queue a frame, or count it if nobody is there."""
        if self.sock is not None:
            self.queue.append(frame)
        else:
            self.lost += wire.carries_message(frame)

    def write(self) -> bool:
        """Write what the process takes; True if nothing is left, or nobody is there."""
        if self.sock is None:
            return True
        try:
            return self.queue.write(self.sock)
        except OSError:
            return True  # it has gone: reading tells, after what it has sent before

    def write_all(self, timeout: float) -> None:
        """Write what is queued, waiting for the process up to ``timeout`` seconds."""
        if self.sock is not None:
            self.sock.settimeout(timeout)
            with contextlib.suppress(OSError):
                self.queue.write(self.sock)

    def close(self) -> None:
        """Close the connection; what was queued counts as lost from here on."""
        if self.sock is not None:
            self.lost += self.queue.lost_messages()
            self.sock.close()
            self.sock = None
            self.gone_since = time.monotonic()
