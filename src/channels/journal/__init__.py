"""Topics in the database: what is published in a transaction leaves after its commit, or never was.

The way of a publication, from the commit to the browser:

1. ``Topic.publish()`` in a transaction INSERTs one unnumbered row (``Pending``), and locks nothing else.
2. The commit makes it certain. A hook wakes the relay of this process, or, where none serves, of another.
3. The relay (``relay.py``, a thread per database) takes what is pending in the order of its ids.
4. In one short transaction it locks the topics' rows (``Stream``), in sorted order, gives each publication
   the next offset, moves it to ``Publication``, and notes in its row of ``Relay`` which topics leave.
5. It hands the numbered publications to the store beside the channel layer, the carrier (``carrying.py``).
6. The receiver of each event loop (``receiver.py``) delivers what follows its position, passes over what it
   has had, and reads from the table what is missing; hub, session and socket are those of every topic.
7. Killed between 2 and 4: the row is pending, and any relay's slow poll takes it. Killed between 4 and 6: the
   note stands, and any relay's slow poll tells everybody once more. Two relays: the locks decide who numbers.
8. ``publish()`` outside of a transaction does 1, 4 and 5 at once, for its topic, and returns the position.
9. A relay trims: by size while it numbers, by age now and then. Readers leave out what is due in any case.
10. Presence, control messages and what is not kept (ephemeral, no history) are the carrier's own.

Name the app in ``INSTALLED_APPS`` and run ``manage.py migrate``; then a topic says ``store = "database"``.

What to keep in mind when this is changed: a row of ``Pending`` may have been written by an earlier release,
and a transaction of users is never locked, slowed or ended by what relays do.
"""

from typing import Any

__all__ = ["DatabaseStore"]


def __getattr__(name: str) -> Any:
    """Import the store when it is asked for: Django imports this module before there are models."""
    if name != "DatabaseStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from channels.journal.store import DatabaseStore

    return DatabaseStore
