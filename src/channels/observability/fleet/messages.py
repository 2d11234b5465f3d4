"""The messages in which questions and answers travel."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from channels.observability.fleet.answers import (
    ConnectionDetails,
    Connections,
    Done,
    Endings,
    Log,
    LogNames,
    NodeStatus,
    RecordingText,
    Topics,
)
from channels.observability.fleet.questions import (
    Ask,
    AskConnection,
    AskConnections,
    AskEndings,
    AskLog,
    AskLogNames,
    AskRecording,
    AskStatus,
    AskTopics,
    Close,
    DisconnectUser,
    DrainNode,
)


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


#: What answers a question; a process that has nothing to say to one answers None.
ANSWERS: Final[dict[type[Ask], Any]] = {
    AskStatus: NodeStatus,
    AskConnections: Connections,
    AskConnection: ConnectionDetails,
    AskEndings: Endings,
    AskLog: Log,
    AskLogNames: LogNames,
    AskRecording: RecordingText,
    AskTopics: Topics,
    Close: Done,
    DisconnectUser: Done,
    DrainNode: Done,
}


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A process, and for how many seconds nothing was heard of it."""

    node: NodeInfo
    silent: float


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """I am here; said now and then.

    Attributes:
        node: who.
        channel: for the same from those who have not heard of it before; "" if they need not say it.
    """

    node: NodeInfo
    channel: str = ""


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
