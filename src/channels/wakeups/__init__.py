"""Wake-ups: "look at your table", from the transaction that wrote a row to whoever acts on it.

A wake-up has a short name and a database alias, and no data. It may be lost: whoever listens also polls
slowly. ``commits.py`` sends one when a transaction is committed, and never when it is rolled back.
``listeners.py`` are those of this process, told by a direct call. Other processes are told by what spans
them: ``messages.py`` through the topic store beside the channel layer (host, Redis), or, where that ends at
the border of the process and the database is PostgreSQL, ``notify.py`` through NOTIFY.

What to keep in mind when this is changed: a wake-up is sent from a thread that has just committed, so it
never raises and never waits longer than one message to the store takes. A process that only writes has no
thread for it.
"""

from channels.wakeups.commits import wake, wake_on_commit, wake_others
from channels.wakeups.listeners import Listener
from channels.wakeups.listening import listen

__all__ = ["Listener", "listen", "wake", "wake_on_commit", "wake_others"]
