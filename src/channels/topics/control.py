"""What processes tell each other about their clients, through the stores' control channel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.messages import Publication
from channels.topics.registry import RESERVED
from channels.topics.stores.base import Append, Retention
from channels.topics.stores.manager import get_store


class _Control(msgspec.Struct, array_like=True, frozen=True):
    """Base of the messages."""


class DisconnectClients(_Control, tag=1, frozen=True):
    """End connections.

    Attributes:
        code, reason: what the clients are told.
        user: of this user; None: of any.
        client: only this one; "" for any.
        keep: clients that stay connected.
        session: only the one with this secret; "" for any.
    """

    code: int
    reason: str
    user: str | None = None
    client: str = ""
    keep: list[str] = []
    session: str = ""


class UnsubscribeClients(_Control, tag=2, frozen=True):
    """End the subscriptions of a user or a client to a topic."""

    topic: str
    code: int
    reason: str
    user: str | None = None
    client: str = ""
    session: str = ""


class Recheck(_Control, tag=3, frozen=True):
    """Ask again who may have what.

    Attributes:
        topic: only its subscribers; "" for all that a client has, and its connection.
        user: only this user's clients; None: everybody's.
    """

    topic: str = ""
    user: str | None = None


class ForgetRecent(_Control, tag=4, frozen=True):
    """Publications were removed from a topic's stream."""

    topic: str


class EmulatedFrame(_Control, tag=5, frozen=True):
    """A frame of commands that came to another process than the one that has the session.

    Attributes:
        node: of the session.
        session: its secret.
        data: the frame.
    """

    node: str
    session: str
    data: bytes


class AccessChanged(_Control, tag=7, frozen=True):
    """Something has changed about users: see :class:`channels.access.announcements.Change`."""

    user: str = ""
    session: str = ""
    permissions: bool = False


class SubscribeClients(_Control, tag=8, frozen=True):
    """Subscribe the clients of a user to a topic, as the server wants it.

    Attributes:
        topic, user, client, session: as in :class:`UnsubscribeClients`.
        info: JSON that others see beside the subscriber; empty for none.
        data: JSON that the client gets with the subscription; empty for none.
        expires_at: when it ends, seconds since 1970; 0: never.
        since: recover what came after this offset and epoch; None: nothing.
        override: what is decided instead of the topic, as a token would.
    """

    topic: str
    user: str
    client: str = ""
    session: str = ""
    info: bytes = b""
    data: bytes = b""
    expires_at: float = 0.0
    since: tuple[int, str] | None = None
    override: dict[str, bool] = {}


class RefreshClients(_Control, tag=9, frozen=True):
    """Say anew how long the connections of a user last.

    Attributes:
        user, client, session: as in :class:`UnsubscribeClients`.
        expires_at: when they end, seconds since 1970; 0: never.
        info: JSON that others see beside the client from now on; empty: as it was.
    """

    user: str
    client: str = ""
    session: str = ""
    expires_at: float = 0.0
    info: bytes = b""


class NodeReport(_Control, tag=10, frozen=True):
    """What a node says of itself, now and then.

    Attributes:
        node: unique among all.
        name: for people.
        version: of this software.
        clients, users, topics, subscriptions: how many it has.
        uptime: seconds.
        cpu: percent of a processor, lately.
        rss: bytes of memory.
    """

    node: str
    name: str
    version: str
    clients: int
    users: int
    topics: int
    subscriptions: int
    uptime: int
    cpu: float
    rss: int


class Survey(_Control, tag=11, frozen=True):
    """Ask every node how it is.

    Attributes:
        id: of this question.
        node: which asks.
        pattern: of the topics that it wants to hear of, as a shell has them; "": all; None: none.
    """

    id: int
    node: str
    pattern: str | None = None


class SurveyAnswer(_Control, tag=12, frozen=True):
    """How a node is.

    Attributes:
        id, node: of the question.
        report: of whom answers.
        topics: how many subscriptions each topic has there that was asked for.
        complete: these are all; False if they were too many.
    """

    id: int
    node: str
    report: NodeReport
    topics: dict[str, int] = {}
    complete: bool = True


class WakeUp(_Control, tag=20, frozen=True):
    """Rows were written that somebody acts on: see :mod:`channels.wakeups`.

    Attributes:
        origin: of the process that wrote them.
        name: of the table, or of what is done with it.
        using: the alias of the database.
    """

    origin: str
    name: str
    using: str


class Announcement(_Control, tag=21, frozen=True):
    """Something that another room of this package tells all nodes.

    Attributes:
        name: by which it is known who listens.
        data: as that room has written it.
    """

    name: str
    data: bytes


Control: TypeAlias = (
    DisconnectClients
    | UnsubscribeClients
    | Recheck
    | ForgetRecent
    | EmulatedFrame
    | AccessChanged
    | SubscribeClients
    | RefreshClients
    | NodeReport
    | Survey
    | SurveyAnswer
    | WakeUp
    | Announcement
)

#: Called with the hub of a loop, in that loop, and what was announced.
AnnouncementListener: TypeAlias = Callable[[Any, bytes], None]
_listeners: Final[dict[str, AnnouncementListener]] = {}


class UnknownControl(ChannelsError):
    """A message of a process of another release."""


def listen(name: str, listener: AnnouncementListener) -> None:
    """Have announcements of a name heard in each event loop that serves topics."""
    _listeners[name] = listener


def announcement_listener(name: str) -> AnnouncementListener | None:
    """Return who listens to announcements of a name; None if nobody does."""
    return _listeners.get(name)


#: What a node that was away for a while has to hear of when it is back: kept in a stream, and numbered.
KEPT: Final = (
    DisconnectClients,
    UnsubscribeClients,
    Recheck,
    ForgetRecent,
    AccessChanged,
    SubscribeClients,
    RefreshClients,
)
#: The stream, a name that no topic has, and how much of it is kept.
CONTROL_TOPIC: Final = f"{RESERVED}control"
CONTROL_RETENTION: Final = Retention(size=1_000, ttl=300.0, position_ttl=86400.0)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Control] = msgspec.msgpack.Decoder(Control)


def broadcast(message: Control) -> None:
    """Tell every node, from sync code.

    Raises:
        StoreUnavailable: it may be that no node hears of it.
    """
    store = get_store().sync
    if isinstance(message, KEPT):
        store.publish(_append(message))
    else:
        store.broadcast(encode_control(message))


async def abroadcast(message: Control) -> None:
    """Tell every node, from async code.

    Raises:
        StoreUnavailable: it may be that no node hears of it.
    """
    store = get_store()
    if isinstance(message, KEPT):
        await store.publish(_append(message))
    else:
        await store.broadcast(encode_control(message))


def _append(message: Control) -> Append:
    publication = Publication(data=msgspec.Raw(encode_control(message)), time=round(time.time() * 1000))
    return Append(CONTROL_TOPIC, publication, CONTROL_RETENTION)


def encode_control(message: Control) -> bytes:
    """Return a message for :meth:`channels.topics.stores.base.Store.broadcast`."""
    return _encoder.encode(message)


def decode_control(message: bytes) -> Control:
    """Return what ``encode_control`` was given.

    Raises:
        UnknownControl: it is none of this release's.
    """
    try:
        return _decoder.decode(message)
    except msgspec.MsgspecError as error:
        raise UnknownControl(str(error)) from error
