"""The outbox: what is written in a transaction, and done after its commit, at least once.

Three things are written: messages to groups and to channels of a layer (``layer.durable``, or
:func:`durable` for any layer), and calls of functions that a project marks with
:func:`on_commit_durably`. On a rollback they never were; a process that is killed after the commit changes
nothing, since another one relays what the table holds.

``messages.py`` and ``hooks.py`` are what users call, ``writing.py`` puts rows into ``models.py``;
``relay/`` runs in each process that serves, and takes turns with the others by leases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels.outbox.hooks import Hook, on_commit_durably

if TYPE_CHECKING:
    from channels.outbox.messages import durable

__all__ = ["Hook", "durable", "on_commit_durably"]


def __getattr__(name: str) -> Any:
    """Import what needs models when it is asked for: Django imports this module before its apps are ready."""
    if name != "durable":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from channels.outbox.messages import durable

    return durable
