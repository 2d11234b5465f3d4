"""The bytes that go to a client: made once for all who get the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from channels.core.broadcast import BROADCAST_TYPE, Broadcast
from channels.protocols.centrifuge.codec import Codec
from channels.protocols.centrifuge.messages import Push, Reply


class Frame:
    """Bytes for clients, with what a WebSocket needs of them.

    Attributes:
        data: one or more messages of the protocol.
        messages: the same, each by itself, for clients to which some of them may not go.
        broadcast: the same for a server that writes past the application.
    """

    __slots__ = ("broadcast", "data", "messages")

    def __init__(self, data: bytes, binary: bool, messages: Sequence[bytes]) -> None:
        self.data, self.messages = data, messages
        payload = {"bytes": data} if binary else {"text": data.decode()}
        self.broadcast = Broadcast([{"type": BROADCAST_TYPE, **payload}])


class Framing(Protocol):
    """How a transport writes messages: as a codec does, or with more around each, for event streams."""

    @property
    def codec(self) -> Codec:
        """The format."""
        ...

    def encode_push(self, push: Push) -> bytes:
        """Return one push as a message."""
        ...

    def encode_reply(self, reply: Reply) -> bytes:
        """Return one reply as a message."""
        ...

    def encode_ping(self) -> bytes:
        """Return a ping as a message."""
        ...

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """Return messages, or whole frames, as one frame."""
        ...


class MessageFraming(NamedTuple):
    """Messages of a codec as they are: for WebSockets."""

    codec: Codec

    def encode_push(self, push: Push) -> bytes:
        """See :class:`Framing`."""
        return self.codec.encode_push(push)

    def encode_reply(self, reply: Reply) -> bytes:
        """See :class:`Framing`."""
        return self.codec.encode_reply(reply)

    def encode_ping(self) -> bytes:
        """See :class:`Framing`."""
        return self.codec.ping

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """See :class:`Framing`."""
        return Frame(self.codec.join(messages), self.codec.binary, messages)
