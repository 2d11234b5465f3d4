"""What processes ask each other. A field of text that is empty asks for all."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

#: Rows in an answer, whatever is asked for.
MOST_ROWS: Final = 200


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


class AskRecording(_Ask, tag="recording", frozen=True):
    """Record a connection, or give what was recorded of it, masked.

    Attributes:
        id: of its row.
        seconds: for which it is recorded, from now on; 0: give what there is.
    """

    id: str
    seconds: float = 0.0


class AskEndings(_Ask, tag="endings", frozen=True):
    """Which WebSockets have ended lately?

    Attributes:
        text: in the path or the address.
    """

    text: str = ""


class AskLog(_Ask, tag="log", frozen=True):
    """What became of the last messages of a topic, a group or a channel, of a task, or of a trace?

    Attributes:
        name: its whole name; of a task, the path of its function.
        limit: entries at most.
        contents: what was in them too, where the process keeps that.
        trace: the id of a trace; then the name says nothing.
    """

    name: str
    limit: int = 100
    contents: bool = False
    trace: str = ""


class AskLogNames(_Ask, tag="log_names", frozen=True):
    """To which topics, groups and channels was something sent lately?

    Attributes:
        text: a part of the name.
        limit: names at most.
    """

    text: str = ""
    limit: int = 50


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
    AskStatus
    | AskConnections
    | AskConnection
    | AskEndings
    | AskLog
    | AskLogNames
    | AskRecording
    | AskTopics
    | Close
    | DisconnectUser
    | DrainNode
)
