"""The relays of this process: one for each database that has an outbox."""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from channels.outbox.configuration import outbox_configuration
from channels.outbox.relay.relay import Relay
from channels.process.exit import exit_timeout
from channels.process.platforms import after_fork_in_child

logger = logging.getLogger("channels.outbox")

#: Seconds that hooks get to finish when a process ends.
GRACE: Final = 2.0

_relays: dict[str, Relay] = {}
_lock = threading.Lock()


def start_relays() -> None:
    """Begin to relay, in threads; harmless when it is done twice."""
    try:
        aliases = outbox_configuration().databases
    except ImproperlyConfigured as error:
        logger.error("The outbox is not relayed: %s", error)
        return
    with _lock:
        for alias in aliases:
            if alias not in _relays and not _is_in_memory(connections[alias]):
                _relays[alias] = Relay(alias)
                _relays[alias].start()


def stop_relays(timeout: float = GRACE) -> None:
    """Stop relaying, and leave the rest to other processes."""
    with _lock:
        relays = list(_relays.values())
        _relays.clear()
    for relay in relays:
        relay.stop(timeout)


def _is_in_memory(connection: Any) -> bool:
    """A database in memory is that of a test, and belongs to the test's thread."""
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def _forget() -> None:
    """In a forked process there are no threads of ours."""
    global _lock
    _lock = threading.Lock()
    _relays.clear()


after_fork_in_child(_forget)
atexit.register(lambda: stop_relays(exit_timeout(GRACE)))
