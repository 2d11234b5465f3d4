"""The deadline by which a process that was told to stop has ended, whatever its code does.

An event loop that is held by a blocking call does not hear a signal; Python does, between two instructions
and in most system calls. So the signal's own handler sets the deadline, and a thread of the interpreter that
needs nobody's lock keeps it.
"""

from __future__ import annotations

import faulthandler
import sys
from types import FrameType

from channels.server.lifecycle.drain import LAST_MOMENT

#: Seconds beyond what the settings allow: for what is cancelled to end, and for the process itself.
MARGIN = 10.0
#: Seconds that are left after a second signal.
HURRY = 5.0
assert MARGIN > 3 * LAST_MOMENT


def stop_limit(drain: float | None, lifespan_shutdown: float | None) -> float | None:
    """Return how long a process may take to stop, in seconds; None for no limit.

    Args:
        drain: ``drain_timeout``; None for no limit.
        lifespan_shutdown: ``lifespan_shutdown_timeout``; likewise.
    """
    return None if drain is None or lifespan_shutdown is None else drain + lifespan_shutdown + MARGIN


class StopDeadline:
    """Ends this process, with the stack of each thread on standard error, unless it has stopped by itself.

    Python writes them, behind a line such as "Timeout (0:00:30)!".

    Args:
        limit: seconds from the first signal on; None for no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._signals = 0

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Begin the deadline, as a handler of signals: one has come that stops the server."""
        self._signals += 1
        if self._signals > 1:
            self._end_within(HURRY)
        elif self._limit is not None:
            self._end_within(self._limit)

    def _end_within(self, seconds: float) -> None:
        stderr = sys.__stderr__
        if stderr is not None:
            faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)

    def cancel(self) -> None:
        """End the deadline: the server has stopped."""
        if self._signals:
            faulthandler.cancel_dump_traceback_later()
