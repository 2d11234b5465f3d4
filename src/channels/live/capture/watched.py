"""Which tables somebody watches, in this process or another.

Who serves live queries says which tables these read: by entries of presence, which vanish with a process that
dies. A writer looks at these at most once a second (:data:`STALE`), so that who begins to watch a table reads
it once more when that time is over.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from channels.process.platforms import after_fork_in_child
from channels.topics.stores.base import Store

#: The topic whose presence says which tables are watched.
WATCHED: Final = "channels.live"
#: Seconds for which a writer believes what it has read of that.
STALE: Final = 1.0


class _Known:
    """What this process knows of watched tables."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()
        self.here: Counter[str] = Counter()
        self.store: Store | None = None
        self.elsewhere: frozenset[str] = frozenset()
        self.read = float("-inf")
        self.queries = False


_known: Final = _Known()


def expect_queries() -> None:
    """Note that this project has live queries, so that changes are worth to be noted."""
    _known.queries = True


def anybody_may_care() -> bool:
    """Whether this project has live queries."""
    return _known.queries


def watch_here(tables: Iterable[str]) -> None:
    """Have changes of tables told, since this process watches them."""
    with _known.lock:
        _known.here.update(tables)


def unwatch_here(tables: Iterable[str]) -> None:
    """End what :func:`watch_here` began."""
    with _known.lock:
        _known.here.subtract(tables)
        _known.here += Counter()  # without those that nobody watches


def watched_tables(store: Store) -> set[str]:
    """Return the tables that somebody watches; raises StoreUnavailable.

    Args:
        store: that tells processes of each other.
    """
    now = time.monotonic()
    if store is not _known.store or now - _known.read >= STALE:
        # If the store is away, others do not wait for it too: the next one tries when this time is over.
        _known.store, _known.read, _known.elsewhere = store, now, frozenset()
        _known.elsewhere = frozenset(info.user for info in store.sync.presence(WATCHED).values())
    return {*_known.elsewhere, *_known.here}


def _forked() -> None:
    queries = _known.queries
    _known.reset()
    _known.queries = queries


after_fork_in_child(_forked)
