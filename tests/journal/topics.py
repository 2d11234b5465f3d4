"""A topic that is kept in the database."""

from __future__ import annotations

from typing import Any

from channels.topics import History, Topic


class Kept(Topic):
    pattern = "kept:<slug:name>"
    history = History(size=10_000, ttl=600)
    store = "database"
    name: str

    def may_subscribe(self, user: Any) -> bool:
        return True


class Short(Kept):
    """Five are kept."""

    pattern = "short:<slug:name>"
    history = History(size=5, ttl=600)


class Unkept(Topic):
    """Nothing of it is kept, but it leaves with the commit all the same."""

    pattern = "unkept:<slug:name>"
    store = "database"
    name: str
