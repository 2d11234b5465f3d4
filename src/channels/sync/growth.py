"""When one more thread helps: while the threads there are wait, and not while they compute."""

from __future__ import annotations

import os
import time
from typing import Final

#: So many threads a pool starts without asking; more only where they help.
CORE: Final = min(32, (os.cpu_count() or 1) + 4)
#: Seconds over which the use of the processor is measured at least.
WINDOW: Final = 0.01
#: The share of one processor above which this process computes. Only one thread runs Python at a time.
COMPUTING: Final = 0.8
#: Seconds for which no thread has taken work, after which one is started whatever the others do.
OVERDUE: Final = 0.1


class Growth:
    """Measures whether this process computes or waits, between two questions."""

    __slots__ = ("_cpu", "_wall")

    def __init__(self) -> None:
        self._wall = 0.0
        self._cpu = 0.0

    def helps(self, stalled: float) -> bool:
        """Whether one more thread would get on with the queue.

        Args:
            stalled: seconds for which nothing has been taken from the queue.
        """
        if stalled >= OVERDUE:
            return True
        wall, cpu = time.monotonic(), time.process_time()
        if wall - self._wall < WINDOW:
            return False
        share = (cpu - self._cpu) / (wall - self._wall)
        self._wall, self._cpu = wall, cpu
        return share < COMPUTING
