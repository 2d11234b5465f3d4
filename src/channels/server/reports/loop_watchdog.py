"""Whether one piece of code holds the event loop, so that nobody else is served; and where it is.

The loop cannot tell that itself: a thread of its own looks at the time of the last tick. Code that holds
the interpreter's lock as well, as a long call into C may, is not seen before it is over.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback

from channels import telemetry
from channels.server.io.timer_wheel import TimerWheel

logger = logging.getLogger("channels.server")

#: How many looks fit into the limit.
_LOOKS = 4


class LoopWatchdog:
    """Logs what holds the event loop for longer than a limit; once each time.

    Args:
        timers: of the loop; it has to run in the thread that makes this object.
        limit: seconds from which on the loop counts as held, above zero.
    """

    def __init__(self, timers: TimerWheel, limit: float) -> None:
        self._timers = timers
        self._limit = limit
        self._interval = limit / _LOOKS
        self._loop_thread = threading.get_ident()
        self._ticked_at = self._looked_at = time.monotonic()
        self._reported = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watchdog", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._timers.at_tick.append(self.tick)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; called in the loop's thread."""
        self._timers.at_tick.remove(self.tick)
        self._stopped.set()

    def tick(self) -> None:
        """The loop has had its turn."""
        self._ticked_at = time.monotonic()
        self._reported = False

    def held_for(self, now: float) -> float:
        """Return for how many seconds the loop has been held; 0 if for less than the limit, or reported.

        Args:
            now: the time of this look. If it comes much later than planned the whole process stood
                still (stopped, or frozen with its machine), for which no code is to blame.
        """
        before, self._looked_at = self._looked_at, now
        if now - before > 2 * self._interval:
            self._ticked_at = now
        held = now - self._ticked_at
        return 0.0 if self._reported or held < self._limit else held

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            held = self.held_for(time.monotonic())
            if held:
                self._reported = True
                self._report(held)

    def _report(self, held: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        logger.warning(
            "The event loop has been held for %.1f s (--loop-held-limit), and nobody else is served "
            "meanwhile. In async code await what takes long, or call it by sync_to_async() or "
            "database_sync_to_async(). It is here:\n%s",
            held,
            "".join(traceback.format_stack(frame)) if frame is not None else "(its thread has ended)",
        )
        telemetry.count("server.loop_held", seconds=held)
