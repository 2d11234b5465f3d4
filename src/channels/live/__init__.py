"""Live queries: topics whose subscribers have the rows of a query, as they are in the database.

The way of a change: ``capture/`` sees it in the user's transaction and tells it after the commit, with tables
and keys only; ``serving/`` hears it in each event loop that serves topics, has ``reading/`` read what may
have changed, compares it with the rows that subscribers have, and publishes the difference as ``rows.py``
writes it. From there it is a publication like any other.

What to keep in mind when this is changed: any number of nodes may evaluate the same query at the same time;
what keeps that right stands in ``serving/evaluation.py``, and only speed depends on who does it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels.live.capture import changed
    from channels.live.query import LiveQuery

__all__ = ["LiveQuery", "changed"]


def __getattr__(name: str) -> Any:
    """Import what needs Django's apps when it is asked for: they import this module first."""
    if name == "LiveQuery":
        from channels.live.query import LiveQuery

        return LiveQuery
    if name == "changed":
        from channels.live.capture import changed

        return changed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
