"""Messages that did not arrive: counted by reason, told to telemetry, logged once per interval."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from channels import telemetry

logger = logging.getLogger("channels.layers")

#: Why a message was dropped, and what the log advises.
REMEDIES: Final = {
    "capacity": "the receiver is slower than the senders; raise `capacity` in CONFIG or do less per message",
    "expired": (
        "nobody received it within `expiry` seconds; is the consumer or worker running, and with the same "
        "layer (a worker names its own when it starts)?"
    ),
    "closed": "its consumer ended before it was handled",
    "broker_lost": "the process of the broker ended, or there was none; senders were told if they waited",
    "cut_off": "this process did not read for long; is it blocked or stopped?",
    "lost": "sent while the connection to Redis was away, or Redis itself; see its log and this one",
    "unreachable": "the process of its channel has ended",
    "unauthentic": "not sent to here by anybody who has a key; from an older release? see `old_envelopes`",
    "undecodable": "a process sent what this one cannot read; do all run the same release?",
}


class DropCounter:
    """Counts drops and logs them: the first at once, later ones as one line per interval.

    Args:
        label: names the layer in the log.
        interval: seconds between two lines.
        clock: seconds, monotonic.
    """

    def __init__(
        self, label: str, interval: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.label = label
        self.totals: Counter[str] = Counter()
        self._interval = interval
        self._clock = clock
        self._unlogged: Counter[str] = Counter()
        self._next_line = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reason: str, amount: int = 1, logged: bool = True) -> None:
        """Count ``amount`` messages dropped for ``reason``; the caller may log them in its own way."""
        self.totals[reason] += amount
        telemetry.count("layer.message_dropped", amount, layer=self.label, reason=reason)
        if reason == "closed" or not logged:
            return  # a connection that ended is no news; statistics() has the number
        self._unlogged[reason] += amount
        if self._clock() >= self._next_line:
            self.log()
        elif self._timer is None:
            self._schedule()

    def log(self) -> None:
        """Write what was not logged yet, in one line."""
        self._timer = None
        unlogged, self._unlogged = self._unlogged, Counter()
        self._next_line = self._clock() + self._interval
        if unlogged:
            counts = "; ".join(f"{n} {reason} ({REMEDIES[reason]})" for reason, n in unlogged.items())
            logger.warning("Layer %s dropped messages: %s", self.label, counts)

    def _schedule(self) -> None:
        """Log the rest when the interval is over, if a loop runs here to do it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # sync code: the next drop, or statistics(), shows them
        self._timer = loop.call_later(max(0.0, self._next_line - self._clock()), self.log)
