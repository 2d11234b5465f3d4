"""Who is told that there is work: workers, by wake-ups."""

from __future__ import annotations

from collections.abc import Callable

from channels.wakeups import Listener, listen, wake_on_commit
from channels.wakeups.listeners import listeners

#: In place of a database: what is kept in memory concerns this process only.
_HERE = ""


def tell(backend: str, using: str | None) -> None:
    """Tell workers of a backend that there is work, when what is open on its database is committed."""
    if using is None:
        listeners.wake(_name(backend), _HERE)
    else:
        wake_on_commit(_name(backend), using, nearest=True)


def tell_all(backend: str, using: str | None) -> None:
    """Tell every worker that something has changed about what it runs."""
    if using is None:
        listeners.wake(_changes(backend), _HERE)
    else:
        wake_on_commit(_changes(backend), using)


def hear(
    backend: str, using: str | None, work: Callable[[], None], changes: Callable[[], None]
) -> list[Listener]:
    """Call ``work()`` when there is work, and ``changes()`` when something has changed about what runs.

    Both are called in any thread. Closing what is returned ends that.
    """
    both = ((_name(backend), work), (_changes(backend), changes))
    if using is not None:
        return [listen(name, using, callback) for name, callback in both]
    found = [Listener(name, _HERE, callback) for name, callback in both]
    for listener in found:
        listeners.add(listener)
    return found


def _name(backend: str) -> str:
    return f"tasks:{backend}"


def _changes(backend: str) -> str:
    return f"tasks:{backend}:changes"
