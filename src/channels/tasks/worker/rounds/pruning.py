"""Deletes what has ended long ago, a thousand rows at a time."""

from __future__ import annotations

import time
from typing import Final

from channels.tasks.definition.options import Options
from channels.tasks.definition.states import FINISHED, State
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import MICROSECONDS

#: Seconds between two looks, and after one that found a thousand rows.
_EVERY: Final = 60.0
_AGAIN: Final = 1.0
#: Seconds that one look may take: nothing is claimed meanwhile.
_BUDGET: Final = 0.05
_WORKERS: Final = 86400


class Pruning:
    """Deletes the results that need not be kept any more.

    Args:
        store: whose.
        options: say for how long each kind is kept.
    """

    def __init__(self, store: TaskStore, options: Options) -> None:
        self._store, self._options = store, options
        self._at = 0.0

    def prune(self, now: float) -> None:
        """Do it, if it is time.

        Args:
            now: by a clock that never jumps, in seconds.
        """
        if now >= self._at:
            self._at = now + (_AGAIN if self.prune_now() else _EVERY)

    def prune_now(self) -> int:
        """Delete what may be deleted; returns how many tasks at last, of which there may be more."""
        end = time.monotonic() + _BUDGET
        while (deleted := self._prune_some()) and time.monotonic() < end:
            pass
        self._store.prune_workers(self._store.now() - _WORKERS * MICROSECONDS)
        return deleted

    def _prune_some(self) -> int:
        now = self._store.now()
        failures = tuple(sorted(FINISHED - {State.SUCCEEDED}))
        deleted = self._store.prune((State.SUCCEEDED,), now - int(self._options.keep_results * MICROSECONDS))
        deleted += self._store.prune(failures, now - int(self._options.keep_failures * MICROSECONDS))
        return deleted
