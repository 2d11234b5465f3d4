"""A thread that waits for sockets and does in turns what there is to do.

Not asyncio, for two reasons. ``poll()`` keeps nothing in the kernel, so a forked child can
drop what it has inherited; closing an inherited event loop would take sockets out of its
parent's ``epoll``. And the end of a turn, when everything was read and nothing was written
yet, is where the broker and the client write what has come together.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

logger = logging.getLogger("channels.layers")

Callback: TypeAlias = Callable[[], None]
OnReady: TypeAlias = Callable[[bool], None]

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT
#: What is told of which events; an error or a hang-up shows when it is read.
_MEANING: Final = ((~WRITE, True), (WRITE, False))


class PollLoop:
    """Callbacks for sockets and times, all in one daemon thread.

    Args:
        name: of the thread.

    Attributes:
        at_end_of_turn: called, in order, after each turn.
    """

    def __init__(self, name: str) -> None:
        self.at_end_of_turn: list[Callback] = []
        self._poll = select.poll()
        self._ready: dict[int, OnReady] = {}
        self._calls: deque[Callback] = deque()
        self._timers: list[tuple[float, int, Callback]] = []
        self._ids = itertools.count()
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)
        self._waker.setblocking(False)
        self._running = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.watch(self._awake, self._drain)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def in_thread(self) -> bool:
        """Whether the caller runs in the loop's thread."""
        return threading.current_thread() is self._thread

    def watch(self, sock: socket.socket, on_ready: OnReady, write: bool = False, read: bool = True) -> None:
        """Call ``on_ready(True)`` when ``sock`` can be read; with ``write``, ``(False)`` when written.

        Without ``read`` too it is told when the other side has closed the connection.
        """
        self._ready[sock.fileno()] = on_ready
        self._poll.register(sock.fileno(), (READ if read else 0) | (WRITE if write else 0))

    def forget(self, sock: socket.socket) -> None:
        """Do not watch ``sock`` any more; call it before the socket is closed."""
        if self._ready.pop(sock.fileno(), None) is not None:
            self._poll.unregister(sock.fileno())

    def call_soon(self, callback: Callback) -> None:
        """Call ``callback()`` in the thread, in the next turn; from any thread."""
        self._calls.append(callback)
        if not self.in_thread:
            self.wake()

    def call_later(self, delay: float, callback: Callback) -> None:
        """Call ``callback()`` after ``delay`` seconds; from the loop's thread."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._ids), callback))

    def wake(self) -> None:
        """Let a turn begin."""
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # full: it wakes anyway; closed: there is nobody to wake

    def stop(self) -> None:
        """End the thread after this turn."""
        self._running = False
        self.wake()

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the thread to end; whether it has."""
        if self._thread.is_alive() and not self.in_thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Close what a forked child has inherited; its parent's thread goes on."""
        self._awake.close()
        self._waker.close()

    def _drain(self, readable: bool) -> None:
        try:
            self._awake.recv(4096)
        except BlockingIOError:
            return

    def _run(self) -> None:
        try:
            while self._running:
                self._turn()
        finally:
            self.abandon()

    def _turn(self) -> None:
        for descriptor, mask in self._poll.poll(self._patience()):
            for flags, readable in _MEANING:
                on_ready = self._ready.get(descriptor)  # an earlier callback may have closed it
                if on_ready is not None and mask & flags:
                    try:
                        on_ready(readable)
                    except Exception:
                        self._log_error()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._calls.append(heapq.heappop(self._timers)[2])
        due = [self._calls.popleft() for _ in range(len(self._calls))]
        for callbacks in (due, self.at_end_of_turn):
            for callback in tuple(callbacks):
                try:
                    callback()
                except Exception:  # others wait for this thread
                    self._log_error()

    def _patience(self) -> float | None:
        if self._calls:
            return 0
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic()) * 1000

    def _log_error(self) -> None:
        logger.exception("The thread %s of the host layer met an error.", self._thread.name)
