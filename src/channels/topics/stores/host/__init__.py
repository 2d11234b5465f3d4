"""The store for the processes of one machine, with nothing to install.

``database.py`` keeps: streams, positions and presence, in an SQLite file in the private directory where the
processes of the project meet. A transaction numbers a publication, whichever process asks. ``link.py``
carries: over the host layer go the publications and what happened to presence, one group per topic.
``store.py`` puts both together.

What is carried is a hint: a link that sees an offset jump, is told that the layer was interrupted, or looks
every other second, reads what it lacks from the file. So a process may be killed between the two steps, the
broker too, and what was accepted still arrives, once and in order.

What to keep in mind when this is changed: the file outlives processes of an earlier release. Nothing in an
event loop waits for another process that holds the file: a thread does.
"""

from channels.topics.stores.host.store import HostStore

__all__ = ["HostStore"]
