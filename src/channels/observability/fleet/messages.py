"""What processes ask and answer each other."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

#: Rows in an answer, whatever is asked for.
MOST_ROWS: Final = 200


class NodeInfo(msgspec.Struct, frozen=True):
    """Who a process is.

    Attributes:
        id: unique among all.
        host, pid: where it runs.
        role: "server", or the command that it is.
        version: of this software.
        started_at: seconds since 1970.
    """

    id: str
    host: str
    pid: int
    role: str
    version: str
    started_at: float

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.host}:{self.pid}"


# What is asked. A field of text that is empty asks for all.


class _Ask(msgspec.Struct, frozen=True):
    """Base of the questions."""


class AskStatus(_Ask, tag="status", frozen=True):
    """How are you? See :class:`NodeStatus`."""


class AskConnections(_Ask, tag="connections", frozen=True):
    """Which connections do you have?

    Attributes:
        text: in any of the others.
        user, path, topic, address: parts of these.
        after: the id of the last row that is known; "" for the beginning.
        limit: rows at most.
        counts_only: no rows.
    """

    text: str = ""
    user: str = ""
    path: str = ""
    topic: str = ""
    address: str = ""
    after: str = ""
    limit: int = 50
    counts_only: bool = False


class AskConnection(_Ask, tag="connection", frozen=True):
    """Tell all of one connection.

    Attributes:
        id: of its row.
        watch: seconds for which its messages are noted from now on; 0: not at all.
    """

    id: str
    watch: float = 0.0


class AskEndings(_Ask, tag="endings", frozen=True):
    """Which WebSockets have ended lately?

    Attributes:
        text: in the path or the address.
    """

    text: str = ""


class AskTopics(_Ask, tag="topics", frozen=True):
    """Which topics, or groups, have subscribers with you?

    Attributes:
        kind: of what.
        text: a part of the name.
        after: the last name that is known; "" for the beginning.
        limit: rows at most.
    """

    kind: Literal["topic", "group"] = "topic"
    text: str = ""
    after: str = ""
    limit: int = 50


class Close(_Ask, tag="close", frozen=True):
    """Close a connection.

    Attributes:
        id: of its row.
        code, reason: what the client is told.
    """

    id: str
    code: int
    reason: str


class DisconnectUser(_Ask, tag="disconnect", frozen=True):
    """Close the connections of a user.

    Attributes:
        user: its name or its primary key, as text.
        code, reason: what the clients are told.
    """

    user: str
    code: int
    reason: str


class DrainNode(_Ask, tag="drain", frozen=True):
    """Take no new connections, let what runs end, and end. A supervisor starts another process.

    Attributes:
        node: which.
    """

    node: str


Ask: TypeAlias = (
    AskStatus | AskConnections | AskConnection | AskEndings | AskTopics | Close | DisconnectUser | DrainNode
)


# What is answered.


class NodeStatus(msgspec.Struct):
    """How a process is. Its traffic for the fleet and for inspectors is left out.

    Attributes:
        draining: it takes nothing new.
        lag: seconds that its slowest event loop took to take a call; -1: it did not within the time.
        counts: what there is now: connections, websockets, topics ...
        totals: what there was since the start: accepted, requests, delivered, dropped ...
        memory: bytes.
        cpu: seconds of processor time since the start.
        doing: where the event loop is held, if it did not answer.
    """

    draining: bool = False
    lag: float = 0.0
    counts: dict[str, int] = {}
    totals: dict[str, int] = {}
    memory: int = 0
    cpu: float = 0.0
    doing: str = ""


class ConnectionRow(msgspec.Struct):
    """A connection at a glance.

    Attributes:
        id: unique among all, and as long as the connection lives.
        kind: "websocket", or the transport of a client of topics that has none.
        path: without the query.
        address: of the client.
        user: the name; "" for nobody, "?" if nobody has looked it up yet.
        user_id: the primary key, as text.
        handler: the consumer's class, or "topics".
        state: "connecting", "open", "closing" ...
        seconds: since it began.
        topics, groups: how many it has subscribed to or joined.
        waiting: messages that the application has not taken.
        unsent: bytes that the client has not read.
    """

    id: str
    kind: str
    path: str
    address: str
    user: str
    user_id: str
    handler: str
    state: str
    seconds: float
    topics: int
    groups: int
    waiting: int
    unsent: int


class Connections(msgspec.Struct):
    """A page of connections.

    Attributes:
        rows: in the order of their ids.
        total: how many fit the question.
        complete: False if the process could not look at all of them in time.
    """

    rows: list[ConnectionRow] = []
    total: int = 0
    complete: bool = True


class SeenMessage(msgspec.Struct):
    """A message of a connection, without what is in it.

    Attributes:
        at: seconds since 1970.
        direction: "in" or "out".
        kind: "text", "binary" ...
        size: bytes or characters.
    """

    at: float
    direction: str
    kind: str
    size: int


class ConnectionDetails(msgspec.Struct):
    """All of one connection.

    Attributes:
        row: at a glance.
        names: the topics and groups it has, at most 200.
        facts: what else is known, as text by name.
        messages: the last ones, since somebody watches.
    """

    row: ConnectionRow
    names: list[str] = []
    facts: dict[str, str] = {}
    messages: list[SeenMessage] = []


class EndedRow(msgspec.Struct):
    """A WebSocket that has ended.

    Attributes:
        at: when, seconds since 1970.
        path, address: as in :class:`ConnectionRow`.
        code, reason: of the close; 1006 where there was none.
        lasted: seconds.
    """

    at: float
    path: str
    address: str
    code: int
    reason: str
    lasted: float


class Endings(msgspec.Struct):
    """The last WebSockets that have ended, the newest first."""

    rows: list[EndedRow] = []


class TopicRow(msgspec.Struct):
    """A topic, or a group, and how many have subscribed to it."""

    name: str
    subscribers: int


class Topics(msgspec.Struct):
    """A page of topics or groups.

    Attributes:
        rows: in the order of their names.
        total: how many fit the question.
    """

    rows: list[TopicRow] = []
    total: int = 0


class Done(msgspec.Struct):
    """How many connections, or processes, an action has concerned."""

    amount: int = 0


#: What answers a question; a process that has nothing to say to one answers None.
ANSWERS: Final[dict[type[_Ask], Any]] = {
    AskStatus: NodeStatus,
    AskConnections: Connections,
    AskConnection: ConnectionDetails,
    AskEndings: Endings,
    AskTopics: Topics,
    Close: Done,
    DisconnectUser: Done,
    DrainNode: Done,
}


# Around these


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A process, and for how many seconds nothing was heard of it."""

    node: NodeInfo
    silent: float


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """I am here; said now and then."""

    node: NodeInfo


class Goodbye(msgspec.Struct, tag="goodbye", frozen=True):
    """I end."""

    node: str


class Question(msgspec.Struct, tag="question", frozen=True):
    """A question to all.

    Attributes:
        number: of the question.
        reply: the channel for the answer.
        ask: what.
    """

    number: int
    reply: str
    ask: Ask


class Answer(msgspec.Struct, tag="answer", frozen=True):
    """One process's answer.

    Attributes:
        number: of the question.
        node: who answers.
        known: of whom it has heard.
        result: see :data:`ANSWERS`.
        error: why there is none.
    """

    number: int
    node: NodeInfo
    known: list[Known]
    result: msgspec.Raw
    error: str = ""


Envelope: TypeAlias = Hello | Goodbye | Question | Answer

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


def encode(envelope: Any) -> bytes:
    """Return an envelope, or a result, as bytes."""
    return _encoder.encode(envelope)


def decode(data: bytes) -> Envelope:
    """Return what :func:`encode` was given; raises msgspec.MsgspecError if it is nothing of ours."""
    return _decoder.decode(data)


def decode_result(ask: Ask, result: msgspec.Raw) -> Any:
    """Return what answers ``ask``; raises msgspec.MsgspecError if it is of another release."""
    return msgspec.msgpack.decode(bytes(result), type=ANSWERS[type(ask)] | None)
