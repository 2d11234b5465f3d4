"""The same rooms as topics: the server keeps what was said, and says who is there."""

from datetime import timedelta
from typing import Any, Literal

from channels.topics import History, RPCError, Topic, history, notify, rpc
from rooms.models import Reading, Room

LONGEST_MESSAGE = 1000  # characters


class RoomTopic(Topic):
    """What is said in one room, for whoever is logged in."""

    pattern = "room:<slug:slug>"
    history = History(size=1000, ttl=timedelta(days=30))  # pages read it from its end, 50 lines at a time
    presence = True
    join_leave = True
    ephemeral = Literal["typing"]
    store = "database"  # what was said in a transaction leaves with its commit, and outlives all processes
    slug: str

    def may_subscribe(self, user: Any) -> bool:
        """Read, and be seen to be there."""
        return bool(user.is_authenticated) and Room.objects.filter(slug=self.slug).exists()

    @rpc
    def say(self, user: Any, text: str, key: str = "") -> None:
        """Say something to everybody in the room.

        A page that does not know whether this arrived says it again with the same key: it counts once.
        """
        text = text.strip()
        if not text:
            raise RPCError(400, "There is nothing to say.")
        if len(text) > LONGEST_MESSAGE:
            raise RPCError(400, f"A line has at most {LONGEST_MESSAGE} characters, not {len(text)}.")
        line = {"name": user.get_username(), "text": text, "key": key[:40]}
        self.publish(line, idempotency_key=f"{user.pk} {key[:40]}" if key else "")
        RoomList().publish({"room": self.slug, "name": user.get_username()})

    @rpc
    def read(self, user: Any, offset: int) -> None:
        """Note how far somebody has read, and tell their other pages."""
        newest = history(self, limit=0).position.offset
        if not 0 <= offset <= newest:
            raise RPCError(400, f"There are lines up to {newest}: none has the number {offset}.")
        Reading.note(self.slug, user, offset)
        notify(user, {"room": self.slug, "unread": self.unread(user)})

    def unread(self, user: Any) -> int:
        """Return how many lines somebody has not read, of those that are kept."""
        newest = history(self, limit=0).position.offset
        return min(newest - Reading.of(self.slug, user), self.__class__.history.size)


class RoomList(Topic):
    """Tells that something was said in a room, for the marks on the list of rooms."""

    pattern = "rooms"

    def may_subscribe(self, user: Any) -> bool:
        """See the marks."""
        return bool(user.is_authenticated)

    @rpc
    def unread(self, user: Any) -> dict[str, int]:
        """Return how many lines somebody has not read, by room."""
        return unread_lines(user)


def unread_lines(user: Any) -> dict[str, int]:
    """Return how many lines somebody has not read, by room."""
    return {room.slug: RoomTopic(slug=room.slug).unread(user) for room in Room.objects.all()}


def user_info(user: Any) -> dict[str, str]:
    """Return what others see of somebody who is present."""
    return {"name": user.get_username()}
