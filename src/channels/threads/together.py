"""Short calls of many connections, made in one visit to a thread.

When a server has restarted everybody comes back at once, and for each the user is looked up.
With ``CONN_MAX_AGE = 0`` each visit opens a database connection and closes it again, which
takes longer than the query. So whoever gets a thread makes the calls of the others that wait
as well: as many database connections as threads, and not as many as visitors.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from channels.threads.pool import Lane, Pool, Work

logger = logging.getLogger("channels.threads")

#: Calls made in one visit before others have their turn.
AT_ONCE: Final = 16


class Together:
    """A queue of calls that leave nothing behind in the thread, so that any thread may make them in a row.

    Args:
        pool: whose threads make them.
        tidy: called in the thread before the first call of a visit and after the last.
        mend: called in the thread between two calls.
    """

    def __init__(self, pool: Pool, tidy: Callable[[], object], mend: Callable[[], object]) -> None:
        self.pool = pool
        self.tidy = tidy
        self.mend = mend
        self.waiting: deque[Work] = deque()

    def place(self) -> Lane:
        """Return a lane for one call."""
        return _Place(self)

    def reset(self) -> None:
        """Forget what waits: in a forked process nobody waits for it."""
        self.waiting = deque()


class _Place(Lane):
    """A place in the queue; the visit it brings about may as well serve others."""

    __slots__ = ("_together",)

    def __init__(self, together: Together) -> None:
        super().__init__(together.pool)
        self._together = together

    def put(self, work: Work, whole: bool = False) -> None:
        self._together.waiting.append(work)
        super().put(_Turn(self._together), whole=True)

    def withdraw(self, work: Work) -> bool:
        try:
            self._together.waiting.remove(work)
        except ValueError:
            return False
        return True


class _Turn:
    """One visit: the calls that wait, or none if others have made them all."""

    __slots__ = ("_doing", "_together")

    def __init__(self, together: Together) -> None:
        self._together = together
        self._doing: Work | None = None

    def __call__(self) -> None:
        together = self._together
        if not together.waiting:
            return
        self._safely(together.tidy)
        for number in range(AT_ONCE):
            try:
                self._doing = together.waiting.popleft()
            except IndexError:
                break
            if number:
                self._safely(together.mend)
            self._doing()
            together.pool.moves()
        self._safely(together.tidy)

    def _safely(self, care: Callable[[], object]) -> None:
        try:
            care()
        except Exception:
            logger.exception("What a thread had opened could not be closed; the thread goes on.")

    def label(self) -> str:
        """Say what is called at the moment, for whoever logs that it takes long."""
        label: Callable[[], str] | None = getattr(self._doing, "label", None)
        return "" if label is None else label()
