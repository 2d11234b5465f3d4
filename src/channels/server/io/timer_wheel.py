"""One coarse ticker for all time limits of a server process.

A timer per message would cost more than the message. Here a limit is a number in its
owner; the owner waits in a slot of a wheel and is asked, when the slot comes, whether
its time is really up. Moving a limit into the future is one assignment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("channels.server")

NEVER = float("inf")
#: Length of a slot in seconds: a limit is noticed at most two slots late.
RESOLUTION = 0.25
#: Seconds between two ticks from which on the process is taken to have stood still.
_STILL = 4 * RESOLUTION
#: How many different times are remembered from one tick to the next.
_MAX_NEAR = 256


class Timed(Protocol):
    """Something with a time limit.

    Attributes:
        slot: where it waits, kept by :class:`TimerWheel`; None while it does not wait.
    """

    slot: Slot | None

    def on_due(self, now: float) -> float:
        """Carry out the time limit if it is up at ``now``; the wheel calls this when the owner's slot is due.

        Returns:
            When to ask again, in loop time; :data:`NEVER` for not at all.
        """
        ...


class Slot(set[Timed]):
    """The owners whose limits may be up at the same tick, which is the one that ``number`` says."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TimerWheel:
    """Asks the owners of time limits, each when its limit may be up.

    Attributes:
        now: the loop's time at the last tick, good to :data:`RESOLUTION`.
        at_tick: called at each tick; they must not raise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time()
        self.at_tick: list[Callable[[], object]] = []
        self._slots: dict[int, Slot] = {}
        #: The slots of times that somebody has asked for since the last tick: most ask for the same few.
        self._near: dict[float, Slot] = {}
        self._done = self._slot_of(self.now)
        self._deferred = False
        self._handle: asyncio.TimerHandle | None = loop.call_later(RESOLUTION, self._tick)

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def schedule(self, item: Timed, when: float) -> None:
        """Ask ``item`` at ``when`` (loop time) or just after, and not before then.

        What waits for an earlier slot already keeps it: it will be asked early and
        answers with its later time.
        """
        slot = self._near.get(when)
        if slot is None:
            if when == NEVER:
                return
            slot = self._find(when)
        waiting = item.slot
        if waiting is not None:
            if waiting.number <= slot.number:
                return
            waiting.discard(item)
        item.slot = slot
        slot.add(item)

    def _find(self, when: float) -> Slot:
        number = max(self._slot_of(when), self._done) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = Slot(number)
        if len(self._near) >= _MAX_NEAR:
            self._near.clear()
        self._near[when] = slot
        return slot

    def cancel(self, item: Timed) -> None:
        """Forget ``item``; harmless if it does not wait."""
        slot = item.slot
        if slot is not None:
            item.slot = None
            slot.discard(item)

    def close(self) -> None:
        """Stop the ticker and forget everything."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for slot in self._slots.values():
            for item in list(slot):
                self.cancel(item)

    @staticmethod
    def _slot_of(when: float) -> int:
        return int(when / RESOLUTION)

    def _tick(self) -> None:
        """Ask the owners in every slot that is due.

        If the process stood still (stopped, frozen with its machine, or busy), what peers sent meanwhile
        waits in the kernel. No peer is judged late before the loop has read that: the next tick asks.
        """
        self._handle = self._loop.call_later(RESOLUTION, self._tick)
        before, self.now = self.now, self._loop.time()
        self._deferred = self.now - before >= _STILL and not self._deferred
        for call in self.at_tick:
            call()
        if not self._deferred:
            self._ask_due()

    def _ask_due(self) -> None:
        current = self._slot_of(self.now)
        due, self._done = range(self._done + 1, current + 1), max(self._done, current)
        self._near.clear()
        for number in due:
            slot = self._slots.pop(number, None)
            for item in list(slot or ()):
                if item.slot is slot:  # nobody has cancelled it meanwhile
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
