"""Who reads the broker's socket: the event loop of the consumers, or the client's thread.

A loop that reads by itself needs no hand-over between threads for a message. But one that is blocked, or has
ended, reads nothing, and the broker cuts off a process that reads nothing. So the client's thread looks from
time to time whether the loop keeps up, and reads in its place while it does not. Nothing is looked at while
nothing arrives.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from enum import Enum
from typing import Final

from channels.layers.host.client.receiver import LoopReader, Receiver
from channels.layers.host.wire.poll_loop import PollLoop

#: Seconds between two looks: what has waited for so long without a turn of the loop is read in the thread.
LOOK: Final = 0.02
#: Looks at which nothing has arrived, after which the thread waits for the socket instead.
QUIET: Final = 50


class _Mode(Enum):
    """What the client's thread does about reading."""

    READS = "it reads: there is no loop, or one that does not keep up"
    WAITS = "the loop reads; the thread is told by the socket when something arrives, and looks then"
    LOOKS = "the loop reads; the thread looks every now and then whether it keeps up"


class Reading:
    """Decides who reads; all but :meth:`read_in` and :meth:`read_here` runs in the client's thread.

    Args:
        poll_loop: of the client.
        receiver: reads, in whichever thread it is told to.
        on_writable: called when the socket takes something again, after :meth:`watch_for_room`.
    """

    def __init__(self, poll_loop: PollLoop, receiver: Receiver, on_writable: Callable[[], None]) -> None:
        self._poll_loop = poll_loop
        self._receiver = receiver
        self._on_writable = on_writable
        self._sock: socket.socket | None = None
        self._loop_reader: LoopReader | None = None
        self._mode = _Mode.READS
        self._writes = False
        self._look_is_due = False
        self._turns = self._quiet = 0
        self._had_unread = False

    def connect(self, sock: socket.socket) -> None:
        """Read ``sock`` from now on."""
        self._sock = sock
        self._receiver.connect(sock)
        self._change_to(_Mode.READS)

    def disconnect(self) -> None:
        """Read nothing any more; to be called before the socket is closed."""
        if self._sock is not None:
            self._poll_loop.forget(self._sock)
        self._receiver.disconnect()
        self._stop_loop_reader()
        self._sock, self._writes = None, False

    def watch_for_room(self) -> None:
        """Call ``on_writable`` once, when the socket takes something again."""
        self._writes = True
        self._watch()

    def read_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have ``loop`` read as long as it keeps up; from any thread."""
        self._poll_loop.call_soon(lambda: self._begin_in(loop))

    def read_here(self) -> None:
        """Let the client's thread read if it is the caller that keeps the loop from reading."""
        reader = self._loop_reader
        if reader is not None and (reader.thread == threading.get_ident() or not reader.loop.is_running()):
            self._poll_loop.call_soon(lambda: self._change_to(_Mode.READS))

    def abandon(self) -> None:
        """Close what a forked child has inherited."""
        if self._loop_reader is not None:
            self._loop_reader.abandon()

    def _begin_in(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stop_loop_reader()
        if self._sock is None or not loop.is_running():
            return
        self._turns = 0
        self._loop_reader = LoopReader(loop, self._sock, self._receiver)
        try:
            loop.call_soon_threadsafe(self._loop_reader.begin)
        except RuntimeError:  # it has just been closed
            self._stop_loop_reader()

    def _stop_loop_reader(self) -> None:
        if self._loop_reader is not None:
            self._loop_reader.stop()
            self._loop_reader = None
            self._change_to(_Mode.READS)

    def _change_to(self, mode: _Mode) -> None:
        self._mode = mode
        self._watch()
        if mode is _Mode.LOOKS and not self._look_is_due:
            self._look_is_due = True
            self._quiet = 0
            self._poll_loop.call_later(LOOK, self._look)

    def _watch(self) -> None:
        if self._sock is not None:
            reads = self._mode is not _Mode.LOOKS
            self._poll_loop.watch(self._sock, self._on_ready, read=reads, write=self._writes)

    def _on_ready(self, readable: bool) -> None:
        if not readable:
            self._writes = False
            self._watch()
            self._on_writable()
        elif self._mode is _Mode.WAITS:
            self._turns, self._had_unread = self._loop_turns(), True
            self._change_to(_Mode.LOOKS)
        else:  # if it looks, it is told that the broker has gone
            self._receiver.read()
            self._receiver.queue.hand_over()
            if self._mode is _Mode.READS and self._turns != self._loop_turns():
                self._turns, self._had_unread = self._loop_turns(), False
                self._change_to(_Mode.LOOKS)

    def _loop_turns(self) -> int:
        return self._loop_reader.turns if self._loop_reader is not None else self._turns

    def _look(self) -> None:
        """Read in place of a loop that has left what has arrived alone since the last look."""
        self._look_is_due = False
        if self._mode is not _Mode.LOOKS:
            return
        turns, before = self._loop_turns(), self._turns
        self._turns = turns
        if turns == before and self._had_unread:
            self._change_to(_Mode.READS)
            return
        self._had_unread = self._receiver.has_unread()
        self._quiet = self._quiet + 1 if turns == before else 0
        if self._quiet < QUIET or self._had_unread:
            self._look_is_due = True
            self._poll_loop.call_later(LOOK, self._look)
        else:
            self._change_to(_Mode.WAITS)
