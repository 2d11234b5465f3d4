"""The topic of each user, to which the server subscribes all their clients."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from channels.topics.topic import History, Topic


class User(Topic):
    """What concerns one user, on whatever devices: ``notify(user, data)`` publishes here.

    A client hears of it without asking; what it missed in the last hour it gets when it comes back.
    """

    pattern = "user:<str:pk>"
    history = History(size=100, ttl=timedelta(hours=1))
    pk: str

    @classmethod
    def server_side(cls, user: Any) -> Iterable[Topic]:
        """Subscribe each client of ``user``."""
        return () if user.is_anonymous else (cls(pk=str(user.pk)),)

    def may_subscribe(self, user: Any) -> bool:
        """Only oneself, though the server has done it already."""
        return not user.is_anonymous and str(user.pk) == self.pk


def user_id_of(user: Any) -> str:
    """Return the id of a user, given it or its primary key; "" for an anonymous user."""
    if getattr(user, "is_anonymous", False):
        return ""
    return str(getattr(user, "pk", user))
