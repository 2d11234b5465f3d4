"""The sending half of a client: from any thread, in order, without waiting for a lock.

Whoever has something to send puts it into a queue and writes it at once, unless another
thread is writing: then that one takes it along. So signal handlers may send too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

from channels.layers.host.client.unacked import Request, UnackedBuffer
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.send_buffer import WriteBuffer

#: Bytes that wait for the broker before senders have to wait too, and before they go on.
HIGH_WATER: Final = 4 * 1024 * 1024
LOW_WATER: Final = 1024 * 1024
#: Frames that an event loop may collect before they are written in the middle of its turn.
COLLECT: Final = 64


class Sender:
    """Numbers frames, keeps them until they are answered, and writes them.

    Args:
        on_full: called, in any thread, when the socket takes no more for now.
        numbers: of the frames. A process counts on from one connection to the next: what has a number
            that others have seen from this process already, they take for the same frame once more.
    """

    def __init__(self, on_full: Callable[[], None], numbers: Iterator[int]) -> None:
        self.unacked = UnackedBuffer()
        self._on_full = on_full
        self._numbers = numbers
        self._posted: deque[tuple[wire.Frame, Request | None, bool]] = deque()
        self._writing = threading.Lock()
        self._write_buffer = WriteBuffer()
        self._sock: socket.socket | None = None
        self._collector = 0
        self._collecting: set[int] = set()
        self._waiters: deque[Future[None]] = deque()

    @property
    def empty(self) -> bool:
        """Whether the kernel has everything."""
        return not self._posted and not len(self._write_buffer)

    def post(
        self, frame: wire.Frame, request: Request | None = None, is_message: bool = False
    ) -> Future[None] | None:
        """Send ``frame``; a message may wait for the end of the event loop's turn.

        Args:
            frame: belongs to the sender from now on, which numbers it.
            request: if the broker answers this frame.
            is_message: whether its loss would be the loss of a message.

        Returns:
            What to wait for before more messages are sent; None if there is room.
        """
        self._posted.append((frame, request, is_message))
        if not (is_message and len(self._posted) < COLLECT and self._collect()):
            self.flush()
        buffer = self._write_buffer
        if not is_message or buffer.queued - buffer.written <= HIGH_WATER:
            return None
        waiter: Future[None] = Future()
        self._waiters.append(waiter)
        return waiter

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Write the messages that this thread sends meanwhile together, a few dozen at a time."""
        thread = threading.get_ident()
        self._collecting.add(thread)
        try:
            yield
        finally:
            self._collecting.discard(thread)
            self.flush()

    def _collect(self) -> bool:
        """Have the event loop of this thread flush at the end of its turn, or :meth:`collecting` at its own.

        Returns:
            False if this thread has no loop, or if the loop of another thread is going to flush.
        """
        if self._collecting and threading.get_ident() in self._collecting:
            return True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if not self._collector:
            self._collector = threading.get_ident()
            loop.call_soon(self.flush)
        return self._collector == threading.get_ident()

    def flush(self) -> None:
        """Write what was posted, unless another thread is writing: then that one takes it along."""
        self._collector = 0
        while self._posted and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()

    def resume(self) -> None:
        """Write what the socket did not take before; from the client's thread."""
        with self._writing:
            self._write()
        self.flush()

    def _write(self) -> None:
        """Number what was posted, and write what the socket takes; by whoever holds the lock."""
        buffer = self._write_buffer
        while self._posted:
            frame, request, is_message = self._posted.popleft()
            number = next(self._numbers)
            if isinstance(frame, wire.Numbered):
                frame.number = number
            data = wire.encode(frame)
            if request is None:
                self.unacked.add(number, data, is_message)
            else:
                request.number = number
                self.unacked.ask(request, data)
            buffer.append(data)
        if self._sock is None:
            return
        try:
            if not buffer.write(self._sock):
                self._on_full()
        except OSError:
            return  # the broker has gone: who reads what it has sent before knows it then
        if self._waiters and len(buffer) <= LOW_WATER:
            self._release()

    def _release(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(None)

    def connect(self, sock: socket.socket, hello: bytes) -> None:
        """Go on with a new broker: say hello, and tell it what the last one has not answered."""
        with self._writing:
            self._write()
            self._write_buffer = WriteBuffer()
            for frame in (wire.PREAMBLE, hello, *self.unacked.in_order()):
                self._write_buffer.append(frame)
            self._sock = sock
            self._write()
        self.flush()

    def disconnect(self) -> None:
        """Write nothing until there is a broker again."""
        with self._writing:
            self._sock = None

    def give_up(self, error: Exception) -> int:
        """Drop all that was posted and not acknowledged; returns how many messages that were."""
        with self._writing:
            self._write()
            self._write_buffer = WriteBuffer()
            lost = self.unacked.give_up(error)
        self._release()
        self.flush()
        return lost
