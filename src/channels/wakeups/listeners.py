"""Who in this process is woken, and by what."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Final

from channels import telemetry
from channels.process.platforms import after_fork_in_child

logger = logging.getLogger("channels.wakeups")

Callback = Callable[[], object]


class Listener:
    """One callback that is called when its name is woken.

    Args:
        name: short, the same in all processes.
        using: the alias of the database.
        callback: called in any thread; it must not wait. What it raises is logged.
    """

    def __init__(self, name: str, using: str, callback: Callback) -> None:
        self.name, self.using, self._callback = name, using, callback
        self._ends: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Call the callback."""
        try:
            self._callback()
        except Exception:
            telemetry.count("wakeups.callback_failed", name=self.name)
            logger.exception("What is woken by %r has failed.", self.name)

    def on_close(self, end: Callable[[], None]) -> None:
        """Have ``end`` called by :meth:`close`."""
        self._ends.append(end)

    def close(self) -> None:
        """Call the callback no more, and end what only this listener needed; harmless when done twice."""
        listeners.discard(self)
        ends, self._ends = self._ends, []
        for end in ends:
            end()


class Listeners:
    """The listeners of this process. Changes are made under a lock; tuples that are read never change.

    Attributes:
        origin: names this process in what it sends, so that it passes over its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[tuple[str, str], tuple[Listener, ...]] = {}
        self.origin = uuid.uuid4().hex

    def begin(self) -> None:
        """Start with nothing, as a forked process does: the threads that listened are not in it."""
        self._lock = threading.Lock()
        self._by_key = {}
        self.origin = uuid.uuid4().hex

    def add(self, listener: Listener) -> None:
        """Wake this one, too."""
        key = (listener.name, listener.using)
        with self._lock:
            self._by_key[key] = (*self._by_key.get(key, ()), listener)

    def discard(self, listener: Listener) -> None:
        """Wake this one no more."""
        key = (listener.name, listener.using)
        with self._lock:
            rest = tuple(each for each in self._by_key.get(key, ()) if each is not listener)
            if rest:
                self._by_key[key] = rest
            else:
                self._by_key.pop(key, None)

    def wake(self, name: str, using: str) -> bool:
        """Wake those of a name; whether there are any."""
        found = self._by_key.get((name, using), ())
        for listener in found:
            listener.wake()
        return bool(found)

    def names(self, using: str) -> list[str]:
        """Return the names for which somebody listens to a database."""
        return [name for name, its_database in list(self._by_key) if its_database == using]

    def wake_all(self, using: str | None = None) -> None:
        """Wake all of a database, or all: something may have been lost on its way."""
        for (_, its_database), found in list(self._by_key.items()):
            if using in (None, its_database):
                for listener in found:
                    listener.wake()


listeners: Final = Listeners()
after_fork_in_child(listeners.begin)
