"""Threads that work when they are woken, and what becomes of errors of the database in them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import Error as DjangoDatabaseError
from django.db import connections

from channels import telemetry
from channels.outbox.writing import is_missing_table, missing_tables

logger = logging.getLogger("channels.outbox")

#: Seconds for which a thread that has nothing to do keeps its connection to the database.
LINGER: Final = 2.0
#: Seconds before the next attempt when the database is away: the first wait, and the longest.
AWAY: Final = (0.1, 2.0)
#: Seconds between two looks whether tables are there now, and between two lines of the log about the same.
UNMIGRATED: Final = 10.0
QUIET: Final = 60.0

#: Returns in how many seconds it wants to be called again, if nothing wakes it before; None: not at all.
Work = Callable[[], float | None]


class DatabaseGuard:
    """Turns errors of a database into a wait: it may be away, locked by somebody, or have no tables yet.

    Args:
        using: the alias.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._failures = 0
        self._logged: dict[str, float] = {}

    def call(self, work: Work) -> float | None:
        """Do ``work``; returns what it returns, or in how many seconds to try again."""
        try:
            wait = work()
        except DjangoDatabaseError as error:
            return self._failed(error)
        except Exception as error:
            telemetry.count("outbox.relay_failed", using=self._using)
            text = f"The outbox in the database {self._using!r} is looked at again in a while."
            self._say(f"failed: {type(error).__name__}", text, error)
            return AWAY[1]
        self._failures = 0
        return wait

    def _failed(self, error: Exception) -> float:
        close(self._using)
        if is_missing_table(error):
            self._say("unmigrated", missing_tables(self._using))
            return UNMIGRATED
        self._failures += 1
        telemetry.count("outbox.database_failed", using=self._using, error=type(error).__name__)
        self._say("away", f"The outbox in the database {self._using!r} has to wait: {error}")
        return min(AWAY[0] * 2.0 ** min(self._failures - 1, 10), AWAY[1])

    def _say(self, what: str, text: str, error: Exception | None = None) -> None:
        now = time.monotonic()
        if now - self._logged.get(what, float("-inf")) > QUIET:
            self._logged[what] = now
            logger.warning("%s", text.strip(), exc_info=error)


def close(using: str) -> None:
    """Close the connection of this thread, also one that is broken."""
    try:
        connections[using].close()
    except DjangoDatabaseError:
        connections[using].connection = None


class OnDemandThread:
    """A thread that is there while there is something to do.

    Args:
        name: of the thread.
        using: the alias of the database that it works on.
        work: what it does.
        finish: called before it ends; it may use the database.
    """

    def __init__(self, name: str, using: str, work: Work, finish: Callable[[], None]) -> None:
        self._name, self._using, self._work, self._finish = name, using, work, finish
        self._guard = DatabaseGuard(using)
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Have it work soon; from any thread."""
        self._woken.set()
        with self._lock:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self, timeout: float) -> None:
        """Let it end after what it is at; waits for at most ``timeout`` seconds."""
        self._stopping = True
        self._woken.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stopping

    def _run(self) -> None:
        while True:
            self._woken.clear()
            wait = None if self._stopping else self._guard.call(self._work)
            if not self._stopping and self._woken.wait(LINGER if wait is None else wait):
                continue
            if (wait is None or self._stopping) and self._end():
                return

    def _end(self) -> bool:
        """End, unless somebody has woken it in the last moment."""
        self._guard.call(self._finish)
        close(self._using)
        with self._lock:
            if self._woken.is_set() and not self._stopping:
                return False
            self._thread = None
            return True


class Threads:
    """Threads that make calls; they start on demand, and end when they have been idle for a while.

    Args:
        name: of the threads.
        most: how many.
        freed: called when a call has ended, and another could start.
    """

    def __init__(self, name: str, most: int, freed: Callable[[], object]) -> None:
        self._name, self._most, self._freed = name, most, freed
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._threads = self._busy = 0
        self._done = threading.Condition(self._lock)

    @property
    def free(self) -> int:
        """How many calls could start at once."""
        return self._most - self._busy

    def submit(self, call: Callable[[], object]) -> None:
        """Make a call in a thread; there must be a free one."""
        with self._lock:
            self._busy += 1
            if self._busy > self._threads:
                self._threads += 1
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._calls.put(call)

    def wait(self, timeout: float) -> bool:
        """Wait until no call runs; whether that is so after at most ``timeout`` seconds."""
        with self._done:
            return self._done.wait_for(lambda: not self._busy, timeout)

    def _run(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=LINGER)
            except queue.Empty:
                if self._leave():
                    connections.close_all()
                    return
                continue
            try:
                call()
            finally:
                with self._done:
                    self._busy -= 1
                    self._done.notify_all()
                self._freed()

    def _leave(self) -> bool:
        with self._lock:
            if self._threads <= self._busy:  # a call is on its way
                return False
            self._threads -= 1
            return True
