"""What processes answer each other."""

from __future__ import annotations

import msgspec


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


class LogEntry(msgspec.Struct, array_like=True):
    """See :class:`channels.diagnostics.delivery_log.Entry`."""

    at: float
    kind: str
    name: str
    stage: str
    amount: int
    detail: str
    key: str
    content: str
    trace: str = ""


class Log(msgspec.Struct):
    """Entries of the log of deliveries, the newest first."""

    entries: list[LogEntry] = []


class LogNames(msgspec.Struct):
    """Kinds and names, those with the newest messages first."""

    names: list[tuple[str, str]] = []


class RecordingText(msgspec.Struct):
    """A recording as text; "" if it has just begun."""

    text: str = ""


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
