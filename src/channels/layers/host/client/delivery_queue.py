"""What has arrived and is not delivered yet: all of one read is delivered in one turn of the consumers' loop.

A message that is delivered where its consumers run needs no hand-over per member, and what is due
to one socket leaves in one write. Where no loop runs (sync code, a loop that has ended), or
the loop is too busy to keep up, whoever has read delivers by itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

logger = logging.getLogger("channels.layers")

#: Deliveries, and bytes of their messages, that may wait for the loop.
MAX_WAITING: Final = 1_000
MAX_BYTES: Final = 4 * 1024 * 1024


class DeliveryQueue:
    """Items that are delivered in the order in which they were added; one thread at a time adds.

    Args:
        handlers: what delivers an item, by its class.

    Attributes:
        loop: where deliveries are made while it runs.
    """

    def __init__(self, handlers: Mapping[type[Any], Callable[[Any], None]]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._handlers = handlers
        self._waiting: deque[tuple[Sequence[Any], int]] = deque()
        self._added = self._added_bytes = 0
        self._delivered = self._delivered_bytes = 0
        self._delivering = threading.Lock()
        self._told: asyncio.AbstractEventLoop | None = None

    def deliver_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Deliver in ``loop`` from now on; False if it does, or another one that still runs."""
        if self.loop is loop or (self.loop is not None and self.loop.is_running()):
            return False
        self.loop = loop
        return True

    def add(self, items: Sequence[Any], size: int = 0) -> None:
        """Have ``items`` delivered after all that was added before; ``size`` in bytes."""
        self._waiting.append((items, size))
        self._added += len(items)
        self._added_bytes += size

    def hand_over(self) -> None:
        """Have all that was added delivered soon, by the loop or here."""
        if not self._waiting:
            return
        loop = self.loop
        if loop is None or not loop.is_running() or self._too_many():
            self.deliver()
        elif self._told is not loop:
            self._told = loop
            try:
                loop.call_soon_threadsafe(self.deliver)
            except RuntimeError:  # it has just been closed
                self.deliver()

    def _too_many(self) -> bool:
        if self._added - self._delivered > MAX_WAITING:
            return True
        return self._added_bytes - self._delivered_bytes > MAX_BYTES

    def deliver(self) -> None:
        """Deliver what waits, unless another thread is delivering: then that thread delivers this too."""
        self._told = None
        while self._waiting and self._delivering.acquire(blocking=False):
            try:
                while self._waiting:
                    items, size = self._waiting.popleft()
                    self._delivered += len(items)
                    self._delivered_bytes += size
                    for item in items:
                        try:
                            self._handlers[type(item)](item)
                        except Exception:  # others wait behind it
                            logger.exception(
                                "Something that arrived at the host layer could not be delivered."
                            )
            finally:
                self._delivering.release()
