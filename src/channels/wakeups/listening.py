"""Listening to wake-ups of this process and of others."""

from __future__ import annotations

from channels.wakeups import messages, notify
from channels.wakeups.listeners import Callback, Listener, listeners


def listen(name: str, using: str, callback: Callback) -> Listener:
    """Call ``callback()`` whenever ``name`` is woken; what is sent while this begins may be missed.

    It is also called when something may have been lost: after the way to other processes was interrupted.
    In an event loop, the store's connections of that loop are used, and it has to be closed before the loop
    ends. Elsewhere one daemon thread listens for all.

    Args:
        name: short, the same in all processes.
        using: the alias of the database.
        callback: called in any thread; it must not wait.

    Returns:
        Its ``close()`` ends it.

    Raises:
        ImproperlyConfigured: the settings of the topic store cannot be used.
    """
    listener = Listener(name, using, callback)
    listeners.add(listener)
    try:
        store = messages.spanning_store()
        if store is not None:
            listener.on_close(messages.receive(store))
        elif notify.is_possible(using):
            listener.on_close(notify.receive(using))
    except BaseException:
        listeners.discard(listener)
        raise
    return listener
