"""Frames on their way into a socket that does not always take them."""

from __future__ import annotations

import socket
from collections import deque
from itertools import islice

from channels.layers.host.wire.frames import carries_message

#: Buffers handed to the kernel at once; Linux takes up to 1,024.
BATCH = 256


class WriteBuffer:
    """Encoded frames in order, written as far as the socket takes them.

    Attributes:
        queued: bytes ever put into it.
        written: bytes of these that the kernel has.
    """

    __slots__ = ("_frames", "_partial", "queued", "written")

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._partial = 0
        self.queued = 0
        self.written = 0

    def __len__(self) -> int:
        """Count the bytes that wait."""
        return self.queued - self.written

    def append(self, frame: bytes) -> None:
        """Put an encoded frame at the end."""
        self._frames.append(frame)
        self.queued += len(frame)

    def write(self, sock: socket.socket) -> bool:
        """Write what the socket takes without waiting; True if nothing is left.

        Raises:
            OSError: the other side has gone.
        """
        frames = self._frames
        while frames:
            batch: list[bytes | memoryview] = list(islice(frames, BATCH))
            if self._partial:
                batch[0] = memoryview(batch[0])[self._partial :]
            try:
                amount = sock.sendmsg(batch)
            except BlockingIOError:
                return False
            self.written += amount
            amount += self._partial
            while frames and amount >= len(frames[0]):
                amount -= len(frames.popleft())
            self._partial = amount
        return True

    def lost_messages(self) -> int:
        """Count the messages that are not wholly written, as they will be lost with the socket."""
        return sum(carries_message(frame) for frame in self._frames if len(frame) > 4)
