"""One coarse ticker for all time limits of a server process.

A timer per message would cost more than the message. Here a limit is a number in its
owner; the owner waits in a slot of a wheel and is asked, when the slot comes, whether
its time is really up. Moving a limit into the future is one assignment.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

logger = logging.getLogger("channels.server")

NEVER = float("inf")
#: Length of a slot in seconds: a limit is noticed at most two slots late.
RESOLUTION = 0.25
#: A tick that comes so many seconds after the last one is no tick as others: the process stood still.
_STILL = 4 * RESOLUTION


class Timed(Protocol):
    """Something with a time limit.

    Attributes:
        slot: where it waits, kept by :class:`Timers`; None while it does not wait.
    """

    slot: int | None

    def on_due(self, now: float) -> float:
        """Its slot has come. Returns when to ask again, in loop time; :data:`NEVER` for not at all."""
        ...


class Timers:
    """The wheel. ``now`` is the loop's time at the last tick, good to :data:`RESOLUTION`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time()
        self._slots: dict[int, set[Timed]] = {}
        self._latest = 0
        self._done = self._slot_of(self.now)
        self._deferred = False
        self._handle: asyncio.TimerHandle | None = loop.call_later(RESOLUTION, self._tick)

    def __len__(self) -> int:
        return sum(len(items) for items in self._slots.values())

    def schedule(self, item: Timed, when: float) -> None:
        """Ask ``item`` at ``when`` (loop time) or just after, and not before then.

        What waits for an earlier slot already keeps it: it will be asked early and
        answers with its later time.
        """
        if when == NEVER:
            return
        slot = int(when / RESOLUTION)
        slot = slot + 1 if slot > self._done else self._done + 1
        # Of large numbers each is an object of its own, and many items wait for the same.
        self._latest = slot = self._latest if slot == self._latest else slot
        if item.slot is not None:
            if item.slot <= slot:
                return
            self.cancel(item)
        item.slot = slot
        waiting = self._slots.get(slot)
        if waiting is None:
            self._slots[slot] = {item}
        else:
            waiting.add(item)

    def cancel(self, item: Timed) -> None:
        """Forget ``item``; harmless if it does not wait."""
        if item.slot is None:
            return
        waiting = self._slots[item.slot]
        waiting.discard(item)
        if not waiting:
            del self._slots[item.slot]
        item.slot = None

    def close(self) -> None:
        """Stop the ticker and forget everything."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for items in list(self._slots.values()):
            for item in list(items):
                self.cancel(item)

    @staticmethod
    def _slot_of(when: float) -> int:
        return int(when / RESOLUTION)

    def _tick(self) -> None:
        """Ask those whose slot has come.

        If the process stood still (stopped, frozen with its machine, or busy), what peers sent meanwhile
        waits in the kernel. Nobody is called late before that was read: the next tick asks.
        """
        self._handle = self._loop.call_later(RESOLUTION, self._tick)
        before, self.now = self.now, self._loop.time()
        self._deferred = self.now - before >= _STILL and not self._deferred
        if not self._deferred:
            self._ask_due()

    def _ask_due(self) -> None:
        current = self._slot_of(self.now)
        due, self._done = range(self._done + 1, current + 1), max(self._done, current)
        for slot in due:
            for item in list(self._slots.get(slot, ())):
                self._ask(item)

    def _ask(self, item: Timed) -> None:
        self.cancel(item)
        try:
            again = item.on_due(self.now)
        except Exception:
            # One owner's mistake must not take the time limits of all others with it.
            logger.exception("A time limit of %r could not be carried out.", item)
        else:
            self.schedule(item, again)
