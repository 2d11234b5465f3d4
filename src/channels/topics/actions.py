"""What server code does with topics beside publishing: look at them, and act on who is connected.

Each function has a twin for async code, with an ``a`` before its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from channels.protocols.centrifuge.codes import DisconnectCode, UnsubscribeCode
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.control import (
    DisconnectClients,
    ForgetRecent,
    UnsubscribeClients,
    abroadcast,
    broadcast,
)
from channels.topics.publishing import apublish_all_now, publish_all_now, publish_all_on_commit
from channels.topics.stores.base import Append, Position, PresenceStats, Published, StreamPage
from channels.topics.stores.manager import get_store
from channels.topics.topic import Entry, Topic, append_for, entry_of, topic_of
from channels.topics.user import User, user_id_of


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A piece of a topic's history.

    Attributes:
        entries: the publications.
        position: the end of the stream, for ``since`` of a later call.
    """

    entries: list[Entry]
    position: Position


def publish_many(topics: Iterable[Topic | str], data: Any, **options: Any) -> list[Published | None]:
    """Publish the same data to several topics; see :func:`publish_batch`."""
    return publish_batch([(topic, data) for topic in topics], **options)


async def apublish_many(topics: Iterable[Topic | str], data: Any, **options: Any) -> list[Published]:
    """See :func:`publish_many`."""
    return await apublish_batch([(topic, data) for topic in topics], **options)


def publish_batch(
    publications: Iterable[tuple[Topic | str, Any]],
    *,
    now: bool = False,
    using: str | None = None,
    **options: Any,
) -> list[Published | None]:
    """Publish to several topics, or several times to one, in few steps: a burst of prices or of positions.

    A topic's publications keep their order. All data are looked at before anything is published.

    Args:
        publications: (topic or its name, data) of each.
        now: do not wait for a commit.
        using: the database whose transaction counts; None: each one that is open in this thread.
        options: of all of them; see :meth:`~channels.topics.topic.Topic.publish`.

    Returns:
        For each of them where it is in its stream; None if it waits for a commit.

    Raises:
        InvalidData: the data of one are not of its topic's type; nothing is published.
        UnknownTopic: a name fits no pattern; nothing is published.
        StoreUnavailable: the store does not answer; the first ones may have been published.
    """
    batch = _Batch(publications, options)
    for alias, appends in batch.by_store.items():
        batch.found(
            alias, publish_all_now(alias, appends) if now else publish_all_on_commit(alias, appends, using)
        )
    return batch.results


async def apublish_batch(publications: Iterable[tuple[Topic | str, Any]], **options: Any) -> list[Published]:
    """Publish now, from async code; see :func:`publish_batch`."""
    batch = _Batch(publications, options)
    for alias, appends in batch.by_store.items():
        batch.found(alias, await apublish_all_now(alias, appends))
    return cast("list[Published]", batch.results)


class _Batch:
    """Publications by the store that takes them, and what came of them in the order of the caller.

    Args:
        publications: (topic or its name, data) of each.
        options: of all; see :func:`~channels.topics.topic.append_for`.
    """

    def __init__(self, publications: Iterable[tuple[Topic | str, Any]], options: Mapping[str, Any]) -> None:
        self.by_store: dict[str, list[Append]] = {}
        self._places: dict[str, list[int]] = {}
        for place, (topic, data) in enumerate(publications):
            found = topic_of(topic)
            alias = type(found).store
            self.by_store.setdefault(alias, []).append(append_for(found, data, **options))
            self._places.setdefault(alias, []).append(place)
        self.results: list[Published | None] = [None] * sum(map(len, self._places.values()))

    def found(self, alias: str, published: Iterable[Published | None]) -> None:
        """Take what a store has answered."""
        for place, each in zip(self._places[alias], published, strict=True):
            self.results[place] = each


def notify(user: Any, data: Any, **options: Any) -> Published | None:
    """Publish to a user, on whatever devices: see :class:`~channels.topics.user.User`.

    Args:
        user: a user, or its primary key.
        data: whatever JSON can say.
        options: see :meth:`~channels.topics.topic.Topic.publish`.
    """
    return User(pk=user_id_of(user)).publish(data, **options)


async def anotify(user: Any, data: Any, **options: Any) -> Published:
    """See :func:`notify`."""
    return await User(pk=user_id_of(user)).apublish(data, **options)


def history(
    topic: Topic | str, *, limit: int = -1, since: Position | None = None, reverse: bool = False
) -> HistoryPage:
    """Return what is kept of a topic.

    Args:
        topic: a topic or its name.
        limit: publications at most; -1: all; 0: the position only.
        since: those after (``reverse``: before) this position.
        reverse: newest first.
    """
    found = topic_of(topic)
    return _page(found, get_store(type(found).store).sync.read(str(found), since, limit, reverse))


async def ahistory(
    topic: Topic | str, *, limit: int = -1, since: Position | None = None, reverse: bool = False
) -> HistoryPage:
    """See :func:`history`."""
    found = topic_of(topic)
    return _page(found, await get_store(type(found).store).read(str(found), since, limit, reverse))


def remove_history(topic: Topic | str) -> None:
    """Remove what is kept of a topic; offsets go on."""
    found = topic_of(topic)
    get_store(type(found).store).sync.remove(str(found))
    broadcast(ForgetRecent(str(found)))


async def aremove_history(topic: Topic | str) -> None:
    """See :func:`remove_history`."""
    found = topic_of(topic)
    await get_store(type(found).store).remove(str(found))
    await abroadcast(ForgetRecent(str(found)))


def presence(topic: Topic | str) -> dict[str, ClientInfo]:
    """Return who is subscribed to a topic, by client id; empty if the topic has no presence."""
    found = topic_of(topic)
    return get_store(type(found).store).sync.presence(str(found))


async def apresence(topic: Topic | str) -> dict[str, ClientInfo]:
    """See :func:`presence`."""
    found = topic_of(topic)
    return await get_store(type(found).store).presence(str(found))


def presence_stats(topic: Topic | str) -> PresenceStats:
    """Return how many clients, and how many different users, are subscribed to a topic."""
    found = topic_of(topic)
    return get_store(type(found).store).sync.presence_stats(str(found))


async def apresence_stats(topic: Topic | str) -> PresenceStats:
    """See :func:`presence_stats`."""
    found = topic_of(topic)
    return await get_store(type(found).store).presence_stats(str(found))


def disconnect(
    user: Any, code: int = DisconnectCode.FORCE_DISCONNECT, reason: str = "", client: str = ""
) -> None:
    """End the connections of a user, on every node.

    Args:
        user: a user, or its primary key.
        code: of the protocol, or 4000 to 4999: clients come back after codes up to 3499 and 4000 to 4499.
        reason: short ASCII, for people.
        client: only the connection with this client id.
    """
    broadcast(_disconnection(user, code, reason, client))


async def adisconnect(
    user: Any, code: int = DisconnectCode.FORCE_DISCONNECT, reason: str = "", client: str = ""
) -> None:
    """See :func:`disconnect`."""
    await abroadcast(_disconnection(user, code, reason, client))


def unsubscribe(user: Any, topic: Topic | str, code: int = UnsubscribeCode.SERVER_UNSUBSCRIBE) -> None:
    """End the subscriptions of a user to a topic, on every node.

    Args:
        user: a user, or its primary key.
        topic: a topic or its name.
        code: below 2500 the clients stay unsubscribed; from there on they subscribe again.
    """
    broadcast(_unsubscription(user, topic, code))


async def aunsubscribe(user: Any, topic: Topic | str, code: int = UnsubscribeCode.SERVER_UNSUBSCRIBE) -> None:
    """See :func:`unsubscribe`."""
    await abroadcast(_unsubscription(user, topic, code))


def _disconnection(user: Any, code: int, reason: str, client: str) -> DisconnectClients:
    known = next((each.reason for each in DisconnectCode if each == code), "")
    return DisconnectClients(int(code), reason or known, user_id_of(user), client)


def _unsubscription(user: Any, topic: Topic | str, code: int) -> UnsubscribeClients:
    known = next((each.reason for each in UnsubscribeCode if each == code), "")
    return UnsubscribeClients(str(topic_of(topic)), int(code), known, user_id_of(user))


def _page(topic: Topic, page: StreamPage) -> HistoryPage:
    return HistoryPage([entry_of(topic, each) for each in page.publications], page.position)
