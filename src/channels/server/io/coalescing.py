"""Rounds: a message that arrives while others are being answered waits until those answers have left.

By then its sender has often sent more. A consumer handles all that waits for it in a row, and one
system call takes all of it to each socket: the busier a process is, the less a message costs. In one
that has nothing else to do a round is over in microseconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

#: Turns of the loop that a round takes: consumers handle what was read; those whom they have sent
#: something handle that; what both have written is put on the wire. A handler that takes longer
#: holds nobody up.
TURNS: Final = 3


class WakeupCoalescer:
    """Decides when an application is woken for a message that has arrived.

    Args:
        loop: the event loop; to be used from its thread only.
    """

    __slots__ = ("_begun", "_closed", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begun = self._closed = False
        self._waiting: deque[Callable[[], None]] = deque()

    def announce(self, wake: Callable[[], None]) -> None:
        """Call ``wake``: at once, with what else this turn of the loop has read, or after this round."""
        if self._closed:
            self._waiting.append(wake)
            return
        if not self._begun:
            self._begun = True
            self._loop.call_soon(self._turn, TURNS)
        wake()

    def _turn(self, left: int) -> None:
        self._closed = left > 1
        if self._closed:
            self._loop.call_soon(self._turn, left - 1)
            return
        self._begun = False
        while self._waiting:  # if one raises, the next round's end comes to those behind it
            self.announce(self._waiting.popleft())
