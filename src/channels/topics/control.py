"""What processes tell each other about their clients, through the stores' control channel."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from channels.exceptions import ChannelsError
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
    """

    code: int
    reason: str
    user: str | None = None
    client: str = ""
    keep: list[str] = []


class UnsubscribeClients(_Control, tag=2, frozen=True):
    """End the subscriptions of a user or a client to a topic."""

    topic: str
    code: int
    reason: str
    user: str | None = None
    client: str = ""


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


Control: TypeAlias = (
    DisconnectClients | UnsubscribeClients | Recheck | ForgetRecent | EmulatedFrame | AccessChanged
)


class UnknownControl(ChannelsError):
    """A message of a process of another release."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Control] = msgspec.msgpack.Decoder(Control)


def broadcast(message: Control) -> None:
    """Tell every node, from sync code."""
    get_store().sync.broadcast(encode_control(message))


async def abroadcast(message: Control) -> None:
    """Tell every node, from async code."""
    await get_store().broadcast(encode_control(message))


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
