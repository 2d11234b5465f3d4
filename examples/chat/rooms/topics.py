"""The same rooms as topics: the server keeps what was said last, and says who is there."""

from datetime import timedelta
from typing import Any

from channels.topics import History, RPCError, Topic, rpc
from rooms.models import Room

LONGEST_MESSAGE = 1000  # characters


class RoomTopic(Topic):
    """What is said in one room, for whoever is logged in."""

    pattern = "room:<slug:slug>"
    history = History(size=50, ttl=timedelta(days=1))
    presence = True
    join_leave = True
    ephemeral = Any  # "is typing"
    store = "database"  # what was said in a transaction leaves with its commit, and outlives all processes
    slug: str

    def may_subscribe(self, user: Any) -> bool:
        """Read, and be seen to be there."""
        return bool(user.is_authenticated) and Room.objects.filter(slug=self.slug).exists()

    @rpc
    def say(self, user: Any, text: str) -> None:
        """Say something to everybody in the room."""
        if not text.strip():
            raise RPCError(400, "There is nothing to say.")
        self.publish({"name": user.get_username(), "text": text.strip()[:LONGEST_MESSAGE]})


def user_info(user: Any) -> dict[str, str]:
    """Return what others see of somebody who is present."""
    return {"name": user.get_username()}
