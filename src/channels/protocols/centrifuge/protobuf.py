"""The protocol in Protobuf: binary, each message behind its length, payloads of any bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from channels.protocols.centrifuge.codec import ProtocolError, check_commands
from channels.protocols.centrifuge.messages import Command, Push, Reply, WireMessage
from channels.protocols.centrifuge.protobuf_messages import (
    decode_delimited,
    delimited,
    encode_message,
    tag_of,
)
from channels.protocols.centrifuge.schema import LENGTH, fields_of

_M = TypeVar("_M", bound=WireMessage)
#: What makes a reply of a push.
_ENVELOPE: Final = next(tag_of(field.number, LENGTH) for field in fields_of(Reply) if field.name == "push")


class ProtobufCodec:
    """The format "protobuf": binary, the length of each message before it."""

    name: Final = "protobuf"
    binary: Final = True
    ping: Final = b"\0"

    def decode_commands(self, frame: bytes | str) -> list[Command]:
        """Read the commands of a frame: see :class:`~channels.protocols.centrifuge.codec.Codec`."""
        commands = _messages(Command, frame)
        check_commands(commands)
        return commands

    def encode_reply(self, reply: Reply) -> bytes:
        """One message for a client."""
        return delimited(encode_message(reply))

    def encode_push(self, push: Push) -> bytes:
        """One message for a client: the reply that holds a push."""
        return delimited(_ENVELOPE + delimited(encode_message(push)))

    def encode_uni_push(self, push: Push) -> bytes:
        """One message for a client of a unidirectional transport: the push alone."""
        return delimited(encode_message(push))

    def join(self, messages: Sequence[bytes]) -> bytes:
        """One frame of some messages."""
        return b"".join(messages)

    def encode_command(self, command: Command) -> bytes:
        """One message for a server."""
        return delimited(encode_message(command))

    def decode_replies(self, frame: bytes | str) -> list[Reply]:
        """Read the replies of a frame."""
        return _messages(Reply, frame)


PROTOBUF: Final = ProtobufCodec()


def _messages(message: type[_M], frame: bytes | str) -> list[_M]:
    if isinstance(frame, str):
        raise ProtocolError("the frame is text; Protobuf is sent as binary messages")
    if not frame:
        raise ProtocolError("the frame is empty; a ping or pong would be a zero byte")
    return decode_delimited(message, frame)
