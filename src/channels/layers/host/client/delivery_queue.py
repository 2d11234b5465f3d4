"""What has arrived and is not delivered yet: all of one read is delivered in one turn of the consumers' loop.

A message that is delivered where its consumers run needs no hand-over per member, and what is due
to one socket leaves in one write. Where no loop runs (sync code, a loop that has ended), or
the loop is too busy to keep up, the client's thread delivers by itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

logger = logging.getLogger("channels.layers")

Deliver: TypeAlias = Callable[[], None]

#: Deliveries, and bytes of their messages, that may wait for the loop.
MAX_WAITING: Final = 1_000
MAX_BYTES: Final = 4 * 1024 * 1024


class DeliveryQueue:
    """Deliveries, made in the order they are added; one thread adds."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Deliver, int]] = deque()
        self._added = 0
        self._delivered = 0
        self._delivering = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: asyncio.AbstractEventLoop | None = None

    def deliver_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver in ``loop`` from now on, as long as it runs."""
        self._loop = loop

    def add(self, deliver: Deliver, size: int = 0) -> None:
        """Have ``deliver()`` called after all that was added before; ``size`` in bytes."""
        self._waiting.append((deliver, size))
        self._added += size

    def hand_over(self) -> None:
        """Have all that was added delivered soon, by the loop or here."""
        if not self._waiting:
            return
        loop = self._loop
        if loop is None or not loop.is_running() or self._too_many():
            self.deliver()
        elif self._told is not loop:
            self._told = loop
            try:
                loop.call_soon_threadsafe(self.deliver)
            except RuntimeError:  # it has just been closed
                self.deliver()

    def _too_many(self) -> bool:
        return len(self._waiting) > MAX_WAITING or self._added - self._delivered > MAX_BYTES

    def deliver(self) -> None:
        """Deliver what waits, unless another thread is delivering: then that thread delivers this too."""
        self._told = None
        while self._waiting and self._delivering.acquire(blocking=False):
            try:
                while self._waiting:
                    deliver, size = self._waiting.popleft()
                    self._delivered += size
                    deliver()
            except Exception:  # others wait behind it
                logger.exception("Something that arrived at the host layer could not be delivered.")
            finally:
                self._delivering.release()
