"""What subscribers of some topics begin with that is more than what was published: rows of a query.

A room that has such topics registers their class here. The source of a live topic gives a snapshot at the
topic's position, from which publications go on without a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.messages import Publication

if TYPE_CHECKING:
    from channels.topics.delivery.live_topic import LiveTopic

#: What one subscriber gets of a publication; None: nothing.
View: TypeAlias = Callable[[Publication], Publication | None]


class SnapshotUnavailable(ChannelsError):
    """There is no snapshot, so nobody can subscribe; the message is for the client.

    Args:
        message: without what only the project may know.
        temporary: the client may try again.
    """

    def __init__(self, message: str, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary


class SnapshotSource(Protocol):
    """What gives snapshots of one topic in one event loop; called there."""

    async def ready(self) -> None:
        """Have a snapshot at hand; raises SnapshotUnavailable."""

    def snapshot(self, client: Any) -> Publication | None:
        """Return how the topic is at its position, for a client; None if that is not known any more."""
        ...

    def view_of(self, client: Any) -> View | None:
        """Return what the client gets of each publication; None: all of it."""
        ...

    def advanced(self) -> None:
        """Note that the position has moved, or that the topic has another stream."""

    def interrupted(self) -> None:
        """Note that something may have been lost on its way to this process."""

    def close(self) -> None:
        """Stop: nobody is subscribed any more."""


Maker: TypeAlias = Callable[[Any, "LiveTopic", Any], SnapshotSource]

_makers: Final[dict[type, tuple[Maker, Callable[[type], bool]]]] = {}


def give_snapshots(cls: type, maker: Maker, has_views: Callable[[type], bool]) -> None:
    """Have subscribers of topics of a class begin with a snapshot.

    Args:
        cls: of the topics; subclasses are meant too.
        maker: called with the topic, its live topic and the hub of the running loop.
        has_views: whether clients of a subclass may get less than what was published.
    """
    _makers[cls] = maker, has_views


def has_views(cls: type) -> bool:
    """Whether clients may get less of topics of a class than what was published."""
    found = next((_makers[each] for each in cls.__mro__ if each in _makers), None)
    return found is not None and found[1](cls)


async def prepare(topic: Any, live: LiveTopic, hub: Any) -> None:
    """Have a snapshot of a topic at hand, if it is one that has snapshots; raises SnapshotUnavailable."""
    if live.source is None:
        found = next((_makers[each] for each in type(topic).__mro__ if each in _makers), None)
        if found is None:
            return
        live.source = found[0](topic, live, hub)
    await live.source.ready()
