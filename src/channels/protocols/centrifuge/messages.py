"""The messages of the protocol, by its terms: one class each, attributes by the wire's names.

Each field says its Protobuf number and its wire type once, in its annotation; both codecs read them there.
A field that has no default is written in JSON even when it is zero, because clients read it without one;
all others are left out then, in both formats.

Fields of wire type ``bytes`` are :class:`msgspec.Raw`: JSON text on a JSON connection, any bytes over
Protobuf, and :data:`EMPTY` where there is none. What was decoded may refer to the memory of its frame:
``Raw.copy()`` detaches what is to be kept.

Messages are frozen: one object serves all subscribers. ``msgspec.structs.replace`` makes changed ones.

More than 400 lines: it is one schema, read from top to bottom, and half of it says what the fields mean.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw


class Scalar(enum.Enum):
    """The wire types of numbers; those of other fields follow from their Python type."""

    INT32 = "int32"
    INT64 = "int64"
    UINT32 = "uint32"
    UINT64 = "uint64"
    SINT64 = "sint64"


#: No payload: the default of each field of wire type ``bytes``, left out of what is encoded.
EMPTY: Final = Raw()

Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1), Scalar.INT32]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1), Scalar.INT64]
UInt32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1), Scalar.UINT32]
#: Up to 2**63 - 1 only: no stream gets there, and databases and msgspec count no further.
UInt64: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1), Scalar.UINT64]
SInt64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1), Scalar.SINT64]
# Two messages have a field that is called `dict`, so that their maps need names from outside of them.
Strings: TypeAlias = dict[str, str]


class WireMessage(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """What all messages have in common: zero values are left out, and none is ever part of a circle."""


class Error(WireMessage, frozen=True):
    """Why a command failed; the connection lives on.

    Attributes:
        code: of :class:`~channels.protocols.centrifuge.codes.ErrorCode`, or an application's, 400 to 1999.
        message: for people.
        temporary: the client may try again.
    """

    code: Annotated[UInt32, 1] = 0
    message: Annotated[str, 2] = ""
    temporary: Annotated[bool, 3] = False


class ClientInfo(WireMessage, frozen=True):
    """Who publishes, or is present.

    Attributes:
        user: the user's id; "" for nobody in particular.
        client: the id of the connection.
        conn_info: what the connection was given when it was authenticated.
        chan_info: what the subscription was given.
    """

    user: Annotated[str, 1]
    client: Annotated[str, 2]
    conn_info: Annotated[Raw, 3] = EMPTY
    chan_info: Annotated[Raw, 4] = EMPTY


class Publication(WireMessage, frozen=True):
    """What is published to a channel.

    Attributes:
        data: the payload; a patch if ``delta``.
        info: of the client that published it, None if the server did.
        offset: its place in the stream, from 1; 0 without history.
        tags: what filters look at.
        delta: ``data`` is a patch of the previous publication.
        time: when it was published, in milliseconds since 1970.
        channel: only where it differs from the subscription's.
        key: of a keyed state.
        removed: the key is gone.
        score: by which a keyed state is ordered.
        epoch: of the stream, with its first publication.
        prev_data: the previous payload; between brokers only.
        version: of the payload, as its publisher counts.
    """

    data: Annotated[Raw, 4] = EMPTY
    info: Annotated[ClientInfo | None, 5] = None
    offset: Annotated[UInt64, 6] = 0
    tags: Annotated[Strings, 7] = {}
    delta: Annotated[bool, 8] = False
    time: Annotated[Int64, 9] = 0
    channel: Annotated[str, 10] = ""
    key: Annotated[str, 11] = ""
    removed: Annotated[bool, 12] = False
    score: Annotated[SInt64, 13] = 0
    epoch: Annotated[str, 14] = ""
    prev_data: Annotated[Raw, 15] = EMPTY
    version: Annotated[UInt64, 16] = 0


class StreamPosition(WireMessage, frozen=True):
    """A place in a stream: the last publication that is known, 0 for none, and which life of the stream."""

    offset: Annotated[UInt64, 1] = 0
    epoch: Annotated[str, 2] = ""


class FilterNode(WireMessage, frozen=True):
    """A filter by tags: a comparison of the tag ``key``, or other filters under an operator.

    Attributes:
        op: "and", "or", "not"; "" for a comparison.
        cmp: "eq", "neq", "in", "nin", "ex", "nex", "sw", "ew", "ct", "lt", "lte", "gt", "gte".
        val: what it is compared with.
        vals: the same for "in" and "nin".
        nodes: what the operator is applied to.
    """

    op: Annotated[str, 1] = ""
    key: Annotated[str, 2] = ""
    cmp: Annotated[str, 3] = ""
    val: Annotated[str, 4] = ""
    vals: Annotated[list[str], 5] = []
    nodes: Annotated[list[FilterNode], 6] = []


class KeyedItem(WireMessage, frozen=True):
    """A key and the version of it that the client has."""

    key: Annotated[str, 1] = ""
    version: Annotated[UInt64, 2] = 0


class TrackBatch(WireMessage, frozen=True):
    """Keys that a client wants to follow, and the signature that allows it."""

    signature: Annotated[str, 1] = ""
    items: Annotated[list[KeyedItem], 2] = []


class Dictionary(WireMessage, frozen=True):
    """A dictionary for compression: ``data`` for Protobuf connections, ``data_b64`` for JSON."""

    id: Annotated[str, 1] = ""
    data: Annotated[Raw, 2] = EMPTY
    data_b64: Annotated[str, 3] = ""


class SubscribeRequest(WireMessage, frozen=True):
    """Subscribe to a channel.

    Attributes:
        channel: "" within a ConnectRequest, whose keys name it.
        recover: send what came after ``offset`` in ``epoch``.
        data: for the application.
        positioned: the client wants its position to be watched.
        recoverable: the client wants to recover later.
        join_leave: the client wants to hear of joins and leaves.
        delta: "fossil" if the client can apply such patches.
        flag: bit 0: understands numeric ids; bit 1: answer 112 where recovery fails.
        type: 0 a stream; 1 to 4 keyed kinds of subscriptions.
        phase: of a keyed subscription.
        cursor: of a page of a keyed state.
        limit: entries in a page.
        asc: the order of the pages.
    """

    channel: Annotated[str, 1] = ""
    token: Annotated[str, 2] = ""
    recover: Annotated[bool, 3] = False
    epoch: Annotated[str, 6] = ""
    offset: Annotated[UInt64, 7] = 0
    data: Annotated[Raw, 8] = EMPTY
    positioned: Annotated[bool, 9] = False
    recoverable: Annotated[bool, 10] = False
    join_leave: Annotated[bool, 11] = False
    delta: Annotated[str, 12] = ""
    tf: Annotated[FilterNode | None, 13] = None
    flag: Annotated[Int64, 14] = 0
    type: Annotated[Int32, 15] = 0
    phase: Annotated[Int32, 16] = 0
    cursor: Annotated[str, 17] = ""
    limit: Annotated[Int32, 18] = 0
    asc: Annotated[bool, 19] = False


RequestedSubs: TypeAlias = dict[str, SubscribeRequest]


class ConnectRequest(WireMessage, frozen=True):
    """Open the session; the first command of a connection.

    Attributes:
        data: for the application.
        subs: positions of server-side subscriptions, by channel.
        name: of the client, up to 16 characters by convention.
        version: of the client, up to 64.
        headers: which the client could not send as such. Never to be trusted.
        flag: bit 0: can decode compression by a dictionary.
        dict: the id of the dictionary it has.
        profile: a hint, not to be trusted.
    """

    token: Annotated[str, 1] = ""
    data: Annotated[Raw, 2] = EMPTY
    subs: Annotated[RequestedSubs, 3] = {}
    name: Annotated[str, 4] = ""
    version: Annotated[str, 5] = ""
    headers: Annotated[Strings, 6] = {}
    flag: Annotated[Int64, 7] = 0
    dict: Annotated[str, 8] = ""
    profile: Annotated[str, 9] = ""


class UnsubscribeRequest(WireMessage, frozen=True):
    """Leave a channel."""

    channel: Annotated[str, 1] = ""


class PublishRequest(WireMessage, frozen=True):
    """Publish to a channel; for ``type`` 1 to the entry ``key`` of a keyed state, or remove it."""

    channel: Annotated[str, 1] = ""
    data: Annotated[Raw, 2] = EMPTY
    type: Annotated[Int32, 3] = 0
    key: Annotated[str, 4] = ""
    removed: Annotated[bool, 5] = False


class PresenceRequest(WireMessage, frozen=True):
    """Who is in a channel?"""

    channel: Annotated[str, 1] = ""


class PresenceStatsRequest(WireMessage, frozen=True):
    """How many are in a channel?"""

    channel: Annotated[str, 1] = ""


class HistoryRequest(WireMessage, frozen=True):
    """What was published to a channel?

    Attributes:
        limit: publications at most; 0 for the position only, -1 for all.
        since: strictly after this, strictly before it if ``reverse``.
        reverse: from the newest to the oldest.
    """

    channel: Annotated[str, 1] = ""
    limit: Annotated[Int32, 7] = 0
    since: Annotated[StreamPosition | None, 8] = None
    reverse: Annotated[bool, 9] = False


class PingRequest(WireMessage, frozen=True):
    """In the schema, but served by nobody: clients answer a ping by an empty command."""


class SendRequest(WireMessage, frozen=True):
    """A message to the application, which gets no reply."""

    data: Annotated[Raw, 1] = EMPTY


class RPCRequest(WireMessage, frozen=True):
    """Call a method of the application."""

    data: Annotated[Raw, 1] = EMPTY
    method: Annotated[str, 2] = ""


class RefreshRequest(WireMessage, frozen=True):
    """A new token for the connection."""

    token: Annotated[str, 1] = ""


class SubRefreshRequest(WireMessage, frozen=True):
    """A new token for a subscription (``type`` 0), or keys to follow (1) and to follow no more (2)."""

    channel: Annotated[str, 1] = ""
    token: Annotated[str, 2] = ""
    type: Annotated[Int32, 3] = 0
    track: Annotated[list[TrackBatch], 4] = []
    untrack: Annotated[list[str], 5] = []


Request: TypeAlias = (
    ConnectRequest
    | SubscribeRequest
    | UnsubscribeRequest
    | PublishRequest
    | PresenceRequest
    | PresenceStatsRequest
    | HistoryRequest
    | PingRequest
    | SendRequest
    | RPCRequest
    | RefreshRequest
    | SubRefreshRequest
)


class Command(WireMessage, frozen=True):
    """What a client asks for: an id, and one request. Without both it is a pong.

    Attributes:
        id: chosen by the client, > 0, and repeated by the reply; 0 where no reply is wanted.
        connect: open the session; the other attributes are requests in the same way.
    """

    id: Annotated[UInt32, 1] = 0
    connect: Annotated[ConnectRequest | None, 4] = None
    subscribe: Annotated[SubscribeRequest | None, 5] = None
    unsubscribe: Annotated[UnsubscribeRequest | None, 6] = None
    publish: Annotated[PublishRequest | None, 7] = None
    presence: Annotated[PresenceRequest | None, 8] = None
    presence_stats: Annotated[PresenceStatsRequest | None, 9] = None
    history: Annotated[HistoryRequest | None, 10] = None
    ping: Annotated[PingRequest | None, 11] = None
    send: Annotated[SendRequest | None, 12] = None
    rpc: Annotated[RPCRequest | None, 13] = None
    refresh: Annotated[RefreshRequest | None, 14] = None
    sub_refresh: Annotated[SubRefreshRequest | None, 15] = None


class SubscribeResult(WireMessage, frozen=True):
    """A subscription, as the server grants it.

    Attributes:
        expires: it ends unless it is refreshed.
        ttl: seconds until then.
        recoverable: what will be missed can be recovered; implies ``positioned``.
        epoch: of the stream.
        publications: what was missed, if ``recovered``.
        recovered: nothing is missing.
        offset: the top of the stream; that of the request if ``recovered``.
        positioned: the server watches the position.
        data: from the application.
        was_recovering: recovery was tried.
        delta: publications may be patches.
        id: the number by which pushes name the channel; 0 for none.
        type: the kind of subscription, as in the request.
        phase: of a keyed subscription.
        cursor: of the next page; "" for the last.
        state: a page of a keyed state.
        publish_debounce: milliseconds between publishes of the client.
    """

    expires: Annotated[bool, 1] = False
    ttl: Annotated[UInt32, 2] = 0
    recoverable: Annotated[bool, 3] = False
    epoch: Annotated[str, 6] = ""
    publications: Annotated[list[Publication], 7] = []
    recovered: Annotated[bool, 8] = False
    offset: Annotated[UInt64, 9] = 0
    positioned: Annotated[bool, 10] = False
    data: Annotated[Raw, 11] = EMPTY
    was_recovering: Annotated[bool, 12] = False
    delta: Annotated[bool, 13] = False
    id: Annotated[Int64, 14] = 0
    type: Annotated[Int32, 15] = 0
    phase: Annotated[Int32, 16] = 0
    cursor: Annotated[str, 17] = ""
    state: Annotated[list[Publication], 18] = []
    publish_debounce: Annotated[UInt32, 19] = 0


GrantedSubs: TypeAlias = dict[str, SubscribeResult]


class ConnectResult(WireMessage, frozen=True):
    """A session, as the server grants it.

    Attributes:
        client: the id of the connection.
        version: of the server, free text.
        expires: the client has to refresh the connection.
        ttl: seconds until then.
        data: from the application.
        subs: server-side subscriptions, by channel.
        ping: seconds between the server's pings; 0 for none.
        pong: pings have to be answered.
        session: for emulated transports; a secret.
        node: for emulated transports: which process has the session.
        time: of the server, in milliseconds since 1970.
        flag: bit 0: frames are compressed by a dictionary.
        dict: that dictionary.
    """

    client: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    expires: Annotated[bool, 3] = False
    ttl: Annotated[UInt32, 4] = 0
    data: Annotated[Raw, 5] = EMPTY
    subs: Annotated[GrantedSubs, 6] = {}
    ping: Annotated[UInt32, 7] = 0
    pong: Annotated[bool, 8] = False
    session: Annotated[str, 9] = ""
    node: Annotated[str, 10] = ""
    time: Annotated[Int64, 11] = 0
    flag: Annotated[Int64, 12] = 0
    dict: Annotated[Dictionary | None, 13] = None


class UnsubscribeResult(WireMessage, frozen=True):
    """The client has left; also if it was not there."""


class PublishResult(WireMessage, frozen=True):
    """The publication was accepted."""


class PresenceResult(WireMessage, frozen=True):
    """Who is there, by the id of the connection."""

    presence: Annotated[dict[str, ClientInfo], 1]


class PresenceStatsResult(WireMessage, frozen=True):
    """How many connections are there, and of how many users."""

    num_clients: Annotated[UInt32, 1]
    num_users: Annotated[UInt32, 2]


class HistoryResult(WireMessage, frozen=True):
    """Publications, and the top of the stream."""

    publications: Annotated[list[Publication], 1]
    epoch: Annotated[str, 2]
    offset: Annotated[UInt64, 3]


class PingResult(WireMessage, frozen=True):
    """In the schema, but served by nobody."""


class RPCResult(WireMessage, frozen=True):
    """What a method returned."""

    data: Annotated[Raw, 1] = EMPTY


class RefreshResult(WireMessage, frozen=True):
    """Until when the connection lasts now; clients read ``expires`` and ``ttl`` (seconds) only."""

    client: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    expires: Annotated[bool, 3] = False
    ttl: Annotated[UInt32, 4] = 0


class SubRefreshResult(WireMessage, frozen=True):
    """Until when the subscription lasts now (``ttl`` in seconds), and the keys that changed."""

    expires: Annotated[bool, 1] = False
    ttl: Annotated[UInt32, 2] = 0
    items: Annotated[list[Publication], 3] = []


class Join(WireMessage, frozen=True):
    """Somebody has come."""

    info: Annotated[ClientInfo | None, 1] = None


class Leave(WireMessage, frozen=True):
    """Somebody has gone."""

    info: Annotated[ClientInfo | None, 1] = None


class Unsubscribe(WireMessage, frozen=True):
    """The server has ended a subscription; from code 2500 on the client subscribes again."""

    code: Annotated[UInt32, 2] = 0
    reason: Annotated[str, 3] = ""


class Subscribe(WireMessage, frozen=True):
    """The server has subscribed the client."""

    recoverable: Annotated[bool, 1] = False
    epoch: Annotated[str, 4] = ""
    offset: Annotated[UInt64, 5] = 0
    positioned: Annotated[bool, 6] = False
    data: Annotated[Raw, 7] = EMPTY


class Message(WireMessage, frozen=True):
    """A message to this connection alone."""

    data: Annotated[Raw, 1] = EMPTY


class Connect(WireMessage, frozen=True):
    """The first push of a unidirectional transport: ConnectResult by other numbers, without flag and dict."""

    client: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    data: Annotated[Raw, 3] = EMPTY
    subs: Annotated[GrantedSubs, 4] = {}
    expires: Annotated[bool, 5] = False
    ttl: Annotated[UInt32, 6] = 0
    ping: Annotated[UInt32, 7] = 0
    pong: Annotated[bool, 8] = False
    session: Annotated[str, 9] = ""
    node: Annotated[str, 10] = ""
    time: Annotated[Int64, 11] = 0


class Disconnect(WireMessage, frozen=True):
    """The last push of emulated and unidirectional transports; on a WebSocket the close frame says it."""

    code: Annotated[UInt32, 1] = 0
    reason: Annotated[str, 2] = ""
    reconnect: Annotated[bool, 3] = False


class Refresh(WireMessage, frozen=True):
    """The connection was refreshed by the server."""

    expires: Annotated[bool, 1] = False
    ttl: Annotated[UInt32, 2] = 0


class Push(WireMessage, frozen=True):
    """What the server says unasked: one of the attributes, for a channel where it concerns one.

    Attributes:
        id: the channel's number, instead of its name, where the subscription was given one; for ``pub``,
            ``join`` and ``leave`` only.
        channel: its name.
        pub: a publication; the other attributes are events in the same way.
    """

    id: Annotated[Int64, 1] = 0
    channel: Annotated[str, 2] = ""
    pub: Annotated[Publication | None, 4] = None
    join: Annotated[Join | None, 5] = None
    leave: Annotated[Leave | None, 6] = None
    unsubscribe: Annotated[Unsubscribe | None, 7] = None
    message: Annotated[Message | None, 8] = None
    subscribe: Annotated[Subscribe | None, 9] = None
    connect: Annotated[Connect | None, 10] = None
    disconnect: Annotated[Disconnect | None, 11] = None
    refresh: Annotated[Refresh | None, 12] = None


class Reply(WireMessage, frozen=True):
    """What the server sends: the result of a command, its error, a push, or nothing, which is a ping.

    Attributes:
        id: of the command; 0 with a push.
        error: why the command failed.
        push: what nobody asked for.
        connect: the result of ``connect``; the other attributes are results in the same way.
    """

    id: Annotated[UInt32, 1] = 0
    error: Annotated[Error | None, 2] = None
    push: Annotated[Push | None, 4] = None
    connect: Annotated[ConnectResult | None, 5] = None
    subscribe: Annotated[SubscribeResult | None, 6] = None
    unsubscribe: Annotated[UnsubscribeResult | None, 7] = None
    publish: Annotated[PublishResult | None, 8] = None
    presence: Annotated[PresenceResult | None, 9] = None
    presence_stats: Annotated[PresenceStatsResult | None, 10] = None
    history: Annotated[HistoryResult | None, 11] = None
    ping: Annotated[PingResult | None, 12] = None
    rpc: Annotated[RPCResult | None, 13] = None
    refresh: Annotated[RefreshResult | None, 14] = None
    sub_refresh: Annotated[SubRefreshResult | None, 15] = None


class EmulationRequest(WireMessage, frozen=True):
    """A frame of commands (``data``) for the ``session``, a secret, that the process ``node`` has."""

    node: Annotated[str, 1] = ""
    session: Annotated[str, 2] = ""
    data: Annotated[Raw, 3] = EMPTY
