"""What may be asked, as JSON; unknown fields are passed over."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.messages import EMPTY


class _Request(msgspec.Struct, frozen=True):
    """Base of the requests."""


class Since(_Request, frozen=True):
    """A position."""

    offset: int = 0
    epoch: str = ""


class Content(_Request, frozen=True):
    """What is published, wherever to.

    Attributes:
        data: JSON.
        b64data: the same in Base64, for topics of bytes.
        skip_history: carry it, but do not keep it.
        tags, idempotency_key, version, version_epoch: see :func:`~channels.topics.topic.append_for`.
    """

    data: Raw = EMPTY
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] = {}
    idempotency_key: str = ""
    version: int = 0
    version_epoch: str = ""


class Publish(Content, frozen=True):
    """Publish to a channel."""

    channel: str = ""


class Broadcast(Content, frozen=True):
    """Publish the same to some channels."""

    channels: list[str] = []


class Whom(_Request, frozen=True):
    """The connections of a user; "" for those of anonymous users.

    Attributes:
        user: the id.
        client: only this one; "" for any.
        session: only this one; "" for any.
    """

    user: str = ""
    client: str = ""
    session: str = ""


class Flag(_Request, frozen=True):
    """Something that is decided."""

    value: bool = False


class Subscribe(Whom, frozen=True):
    """Subscribe them to a channel."""

    channel: str = ""
    info: Raw = EMPTY
    b64info: str = ""
    data: Raw = EMPTY
    b64data: str = ""
    expire_at: int = 0
    recover_since: Since | None = None
    override: dict[str, Flag | None] | None = None


class Unsubscribe(Whom, frozen=True):
    """End their subscriptions to a channel."""

    channel: str = ""


class Reason(_Request, frozen=True):
    """Why a connection ends."""

    code: int = 0
    reason: str = ""


class Disconnect(Whom, frozen=True):
    """End their connections.

    Attributes:
        whitelist: ids of clients that stay.
        disconnect: what they are told; None: that they are not to come back.
    """

    whitelist: list[str] = []
    disconnect: Reason | None = None


class Refresh(Whom, frozen=True):
    """Say anew how long they last.

    Attributes:
        expired: they end now.
        expire_at: seconds since 1970; 0: never.
        info: JSON that others see beside them; nothing: as it was.
    """

    expired: bool = False
    expire_at: int = 0
    info: Raw = EMPTY


class Channel(_Request, frozen=True):
    """A channel."""

    channel: str = ""


class History(Channel, frozen=True):
    """A page of a channel's history.

    Attributes:
        limit: publications at most; 0: the position only; -1: all.
        since: those after (``reverse``: before) this position.
        reverse: newest first.
    """

    limit: int = 0
    since: Since | None = None
    reverse: bool = False


class Channels(_Request, frozen=True):
    """Channels with subscribers.

    Attributes:
        pattern: of their names, with ``*``, ``?`` and ``[...]``; "": all.
    """

    pattern: str = ""


class Info(_Request, frozen=True):
    """The nodes."""


class RPC(_Request, frozen=True):
    """A call of a function that clients may call too, by nobody in particular."""

    method: str = ""
    params: Raw = EMPTY


class Batch(_Request, frozen=True):
    """Some of these at once, each an object of its method's name and its request."""

    commands: list[dict[str, Raw]] = []
    parallel: bool = False


#: What a method returns, for ``result``.
Result = dict[str, Any]
