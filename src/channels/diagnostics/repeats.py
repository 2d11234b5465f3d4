"""Lines of a log that are written once a minute, however often the same is said."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Final

#: Seconds for which the same line is not written again.
INTERVAL: Final = 60.0
#: Lines that are known at the same time; then all are forgotten.
MOST_KNOWN: Final = 1000
#: Who says why a handshake was refused.
REFUSALS: Final = ("channels.consumer", "channels.routing", "channels.security", "channels.server")


class OnceAMinute(logging.Filter):
    """Drops a record without traceback whose text was written a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` says something new."""
        if record.exc_info or record.levelno < logging.WARNING:
            return True
        text, now = record.getMessage(), time.monotonic()
        if now - self._written.get(text, -INTERVAL) < INTERVAL:
            return False
        if len(self._written) >= MOST_KNOWN:
            self._written.clear()
        self._written[text] = now
        return True


@contextlib.contextmanager
def refusals_once_a_minute() -> Iterator[None]:
    """Have a page that comes back again and again explained once, while the block runs."""
    rarely = OnceAMinute()
    loggers = [logging.getLogger(name) for name in REFUSALS]
    for logger in loggers:
        logger.addFilter(rarely)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(rarely)
