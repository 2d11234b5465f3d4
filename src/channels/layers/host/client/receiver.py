"""The receiving half of a client: frames out of the socket, each taken in once and in order.

The client's thread reads, or the event loop of the consumers (``reading.py`` decides); never both at once.
What the two have read is delivered through one queue, in the order in which it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.wire import frames as wire
from channels.layers.loops import call_before_close

#: Bytes read before others have their turn.
READ_SIZE: Final = 256 * 1024
#: Senders whose last number is remembered; those before them have ended long ago.
MAX_SENDERS: Final = 4096
#: Frames that may come again when a broker has died.
_MESSAGES: Final = frozenset({wire.Published, wire.Directed})


class Receiver:
    """Reads frames, and hands them over.

    Args:
        handlers: what is called at once, by the class of frame; all other frames are delivered.
        queue: where those wait.
        ended: called in the thread that reads when the broker has gone, or with the error for what it sent.

    Attributes:
        connected: whether there is a socket to read.
        queue: see above; whoever calls :meth:`read` has it delivered.
    """

    def __init__(
        self,
        handlers: Mapping[type[wire.Frame], Callable[[Any], None]],
        queue: DeliveryQueue,
        ended: Callable[[wire.WireError | None], None],
    ) -> None:
        self.connected = False
        self.queue = queue
        self._handlers = handlers
        self._ended = ended
        self._reading = threading.Lock()
        self._sock: socket.socket | None = None
        self._reader = wire.FrameReader(wire.MAX_FRAME)
        self._seen: dict[str, int] = {}

    def connect(self, sock: socket.socket) -> None:
        """Read ``sock`` from now on."""
        with self._reading:
            self._sock, self.connected = sock, True
            self._reader = wire.FrameReader(wire.MAX_FRAME)

    def disconnect(self) -> None:
        """Read nothing from now on; when this returns no thread does."""
        with self._reading:
            self._sock, self.connected = None, False

    def read(self) -> None:
        """Take in what has arrived, unless another thread is doing that."""
        if not self._reading.acquire(blocking=False):
            return
        delivered: list[wire.AnyFrame] = []
        try:
            data = self._recv()
            for frame in self._reader.receive_data(data or b""):
                kind: Any = type(frame)
                if kind in self._handlers:
                    self._handlers[kind](frame)
                elif kind not in _MESSAGES or self.is_new(frame.sender, frame.number):  # type: ignore[union-attr]
                    delivered.append(frame)
            if data == b"":
                self._end(None)
        except wire.WireError as error:
            self._end(error)
        finally:
            if delivered:
                self.queue.add(delivered, len(data or b""))
            self._reading.release()

    def _recv(self) -> bytes | None:
        """Return what has arrived; empty if the broker has gone, None if nothing has."""
        try:
            return self._sock.recv(READ_SIZE) if self._sock is not None else None
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _end(self, error: wire.WireError | None) -> None:
        self._sock, self.connected = None, False
        self._ended(error)

    def has_unread(self) -> bool:
        """Whether something has arrived that nobody has read; the end of the connection is something."""
        try:
            return self._sock is not None and self._sock.recv(1, socket.MSG_PEEK) is not None
        except BlockingIOError:
            return False
        except OSError:
            return True

    def is_new(self, sender: str, number: int) -> bool:
        """Whether this was not seen yet; a message may come again when a broker has died."""
        last = self._seen.get(sender)
        if last is None and len(self._seen) >= MAX_SENDERS:
            del self._seen[next(iter(self._seen))]
        if last is not None and number <= last:
            return False
        self._seen[sender] = number
        return True


class LoopReader:
    """Has an event loop read; all but :meth:`stop` and :meth:`abandon` runs in that loop.

    The loop watches a descriptor of its own, so that whoever closes the socket need not wait for the loop.

    Args:
        loop: a loop that runs.
        sock: of the connection.
        receiver: reads it.

    Attributes:
        turns: how often the loop has looked after the socket: one that is blocked does not.
        thread: the loop's, once it has begun.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: Receiver) -> None:
        self.turns = 0
        self.thread = 0
        self.loop = loop
        self._receiver = receiver
        self._stopped = False
        self._descriptor: int | None = os.dup(sock.fileno())

    def begin(self) -> None:
        """Watch the socket; a loop that cannot watch sockets leaves it to the client's thread."""
        if self._stopped or self._descriptor is None:
            return
        with contextlib.suppress(NotImplementedError):
            self.loop.add_reader(self._descriptor, self._on_readable)
            self.thread = threading.get_ident()
            self.turns += 1
            call_before_close(self.loop, self.aclose)

    def _on_readable(self) -> None:
        self.turns += 1
        self._receiver.read()
        self._receiver.queue.deliver()
        if self._stopped or not self._receiver.connected:
            self.end()

    def end(self) -> None:
        """Watch nothing any more."""
        self._stopped = True
        if self._descriptor is not None and self.thread:
            self.loop.remove_reader(self._descriptor)
        self.abandon()

    async def aclose(self) -> None:
        """End before the loop is closed."""
        self.end()

    def stop(self) -> None:
        """Have it end, from any thread."""
        self._stopped = True
        try:
            self.loop.call_soon_threadsafe(self.end)
        except RuntimeError:  # the loop was closed, and watches nothing any more
            self.abandon()

    def abandon(self) -> None:
        """Close the descriptor, as a forked child does with what it has inherited."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
