"""Loggers of these packages, and how they survive a logging configuration that does not name them.

``logging.config`` disables every logger that exists before it and is not part of it, unless the
configuration says ``disable_existing_loggers: False``. Django's ``LOGGING`` is applied after a server
has been imported, so without that line the traceback of a consumer would go nowhere.

What a peer has sent is :func:`escaped` before it becomes a part of a line.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

#: Loggers with these names, and those below them, are ours.
OUR_LOGGERS: Final = ("channels", "channels_redis", "daphne", "django.channels")

# Besides quotes: controls, line separators, and what makes a terminal write from right to left.
_UNQUOTABLE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]')


def escaped(text: str) -> str:
    """Return text that ends neither quotes nor a line, and does not write over either."""
    return _UNQUOTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def enable_loggers() -> list[str]:
    """Enable those of our loggers that a logging configuration has disabled.

    Levels, handlers and propagation stay as they are configured: whoever wants to hear less of
    ``channels.server`` names it in ``LOGGING`` and gives it a level.

    Returns:
        The names of the loggers that were disabled, sorted.
    """
    disabled = [
        logger
        for name, logger in list(logging.root.manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and logger.disabled and _is_ours(name)
    ]
    for logger in disabled:
        logger.disabled = False
    return sorted(logger.name for logger in disabled)


def our_loggers() -> list[str]:
    """Return the names of our loggers, and of those below them that somebody has asked for, sorted."""
    asked_for = [name for name in list(logging.root.manager.loggerDict) if _is_ours(name)]
    return sorted({*OUR_LOGGERS, *asked_for})


def why_hidden(name: str) -> str:
    """Return why errors of a logger are written nowhere; "" if they are, as far as can be seen.

    Without any handler Python writes them to the standard error stream. Filters are not asked.
    """
    logger = logging.getLogger(name)
    if logger.disabled:
        return "disabled"
    if not logger.isEnabledFor(logging.ERROR):
        level = max(logger.getEffectiveLevel(), logging.root.manager.disable)
        return f"at level {logging.getLevelName(level)}"
    handlers = list(_handlers_of(logger))
    if not handlers or any(_writes_errors(handler) for handler in handlers):
        return ""
    return f"without a handler that writes errors, only {', '.join(map(repr, handlers))}"


def _handlers_of(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _writes_errors(handler: logging.Handler) -> bool:
    return handler.level <= logging.ERROR and not isinstance(handler, logging.NullHandler)


def _is_ours(name: str) -> bool:
    return any(name == ours or name.startswith(f"{ours}.") for ours in OUR_LOGGERS)
