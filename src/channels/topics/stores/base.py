"""The contract of a store of topics, on one screen.

A store keeps the stream of each topic (its last publications, numbered) and who is present, and carries
all of it to the other processes. It knows names and positions, but no Topic classes and no clients.

What each store promises, and :mod:`channels.testing.contracts` tests:

* Appending and carrying are one step. Offsets are 1, 2, 3 ... without a gap, and arrive in that order.
* An epoch (a few random letters) belongs to a stream and changes when the stream, or its numbering, was lost.
* A receiver that subscribed misses nothing, or ``interrupted()`` is called: then it compares positions.
* A presence entry vanishes when it is removed, and within ``presence_lease`` when its process dies; its Leave
  follows when anybody looks at the presence of that topic or changes it. ``lapsed()`` says where to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.messages import ClientInfo, Join, Leave, Publication


class StoreUnavailable(ChannelsError):
    """The backend of a store does not answer; what was asked may or may not have been done."""


#: What a store carries to those who subscribed to a topic. A publication has its offset and epoch.
Event: TypeAlias = Publication | Join | Leave


class Position(NamedTuple):
    """A place in a stream: the offset of the last publication seen, and which stream that was."""

    offset: int
    epoch: str


class Published(NamedTuple):
    """What became of a publication.

    Attributes:
        position: where it is; offset 0 if it was not stored.
        accepted: False if it was left out, as its idempotency key or its version was seen before.
    """

    position: Position
    accepted: bool = True


class StreamPage(NamedTuple):
    """A piece of a stream, with the position of the stream's end at that moment."""

    publications: list[Publication]
    position: Position


class PresenceEntry(NamedTuple):
    """Somebody who is present in a topic.

    Attributes:
        topic: the name.
        info: who.
        announce: whether subscribers are told who comes and goes.
    """

    topic: str
    info: ClientInfo
    announce: bool = False


class PresenceStats(NamedTuple):
    """How many clients, and how many different users, are present."""

    clients: int
    users: int


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a stream is kept.

    Attributes:
        size: publications; 0: nothing is stored, and publications have no offset.
        ttl: seconds that a publication is kept.
        position_ttl: seconds that the position is kept after the last publication; then a new epoch begins.
        idempotency_ttl: seconds that an idempotency key is remembered.
    """

    size: int = 0
    ttl: float = 0.0
    position_ttl: float = 30 * 86400.0
    idempotency_ttl: float = 300.0


@dataclass(frozen=True, slots=True)
class Append:
    """A publication on its way into a stream.

    Attributes:
        topic: the name.
        publication: without offset and epoch.
        retention: of the topic.
        idempotency_key: a second publication with the same key is left out; "" for none.
        version: leave the publication out if this is not above the version of the last one; 0 for none.
        version_epoch: versions are compared only within one epoch of the publisher's.
        beside: what travels beside it between our processes and never to clients, as headers of W3C's Trace
            Context have it: where its trace goes on. A store hands it to receivers and need not keep it.
    """

    topic: str
    publication: Publication
    retention: Retention = Retention()
    idempotency_key: str = ""
    version: int = 0
    version_epoch: str = ""
    beside: dict[str, str] | None = None

    @property
    def changes_stream(self) -> bool:
        """Whether the store keeps anything of it; else it only carries it."""
        return bool(self.retention.size or self.idempotency_key or self.version)


class Receiver(Protocol):
    """Who is told what happened, one per event loop. Methods are called in any thread, and must not wait."""

    def received(self, topic: str, event: Event) -> None:
        """Take what was published to a topic; publications come in the order of their offsets."""

    def controlled(self, message: bytes) -> None:
        """Take a message that some process has sent to all."""

    def interrupted(self) -> None:
        """Compare positions: something may have been lost on its way to this process."""


class SyncStore(Protocol):
    """A store for code without an event loop: safe in threads, after a fork, and beside a running loop."""

    def publish(self, append: Append) -> Published:
        """See :meth:`Store.publish`."""
        ...

    def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :meth:`Store.read`."""
        ...

    def remove(self, topic: str) -> None:
        """See :meth:`Store.remove`."""

    def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :meth:`Store.presence`."""
        ...

    def presence_stats(self, topic: str) -> PresenceStats:
        """See :meth:`Store.presence_stats`."""
        ...

    def broadcast(self, message: bytes) -> None:
        """See :meth:`Store.broadcast`."""

    def close(self) -> None:
        """Close the connections; new ones are made when they are needed again."""


class BatchingStore(Protocol):
    """What a ``sync`` may have besides, if it needs fewer steps for several publications at once.

    The store itself may have the same as a coroutine function.
    """

    def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """Publish each, in this order; if that fails in between, those before may have been published."""
        ...


class TransactionalStore(Protocol):
    """What the ``sync`` of a store in a database of Django's has besides.

    Its store has ``using``, the alias of that database.
    """

    def enqueue(self, append: Append) -> None:
        """Write a publication in the transaction that this thread has open; it leaves with the commit."""


class Store(Protocol):
    """What keeps and carries topics.

    Methods raise :class:`StoreUnavailable` when the backend does not answer.
    """

    @property
    def presence_lease(self) -> float:
        """Seconds that a presence entry lives without ``presence_renew``."""
        ...

    @property
    def sync(self) -> SyncStore:
        """The same for code without an event loop."""
        ...

    def attach(self, receiver: Receiver) -> None:
        """Have ``receiver`` told of control messages and interruptions; in its loop.

        What is sent to all while this process begins to listen may be missed; ``subscribe`` waits for that.
        """

    def detach(self, receiver: Receiver) -> None:
        """Forget a receiver and its subscriptions."""

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Have ``receiver`` told of ``topic``: of everything published after this has returned."""

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """End that; harmless if there is no subscription."""

    async def publish(self, append: Append) -> Published:
        """Append a publication to the stream and carry it to whoever subscribed, in one step."""
        ...

    async def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """Return a piece of a stream.

        Args:
            topic: the name; a topic without a stream has an empty one, with an epoch that stays.
            since: exclusive start; its epoch is not compared (the page's position says which stream it is).
                None: from the beginning, or from the end if ``reverse``.
            limit: publications at most; 0: the position only; -1: all.
            reverse: newest first, with ``since`` those before it.
        """
        ...

    async def remove(self, topic: str) -> None:
        """Remove all publications of a stream; its position stays."""

    async def presence_add(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """Note that ``info.client`` is there, with a Join to subscribers if ``announce``.

        Returns:
            Whether nobody was there before.
        """
        ...

    async def presence_remove(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """Note that ``info.client`` has left, with a Leave to subscribers if ``announce``.

        Returns:
            Whether nobody is there any more; False if the client was not there.
        """
        ...

    async def presence_renew(self, entries: Iterable[PresenceEntry]) -> None:
        """Renew the leases of entries of this process, with ``presence_add`` for one that is gone."""

    async def presence(self, topic: str) -> dict[str, ClientInfo]:
        """Return who is there, by client id."""
        ...

    async def presence_stats(self, topic: str) -> PresenceStats:
        """Return how many are there."""
        ...

    async def lapsed(self) -> list[str]:
        """Return topics that may have become empty without anybody who was told that they have.

        Their last clients were those of a process that died. Whoever gets a topic asks for its
        ``presence_stats()``. A topic is returned within a lease after its last lease has ended, if somebody
        asks as often as that; maybe more than once, and to several.
        """
        ...

    async def broadcast(self, message: bytes) -> None:
        """Tell every attached receiver of every process, this one included."""

    async def aclose(self) -> None:
        """Close what the running loop has opened."""
