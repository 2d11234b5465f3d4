"""The protocol in JSON: messages are objects, a newline separates them, payloads are JSON within them.

What is sent is checked: payloads are embedded as they are, and one that is not JSON (a client that speaks
Protobuf may publish any bytes) would break the frame of everybody who gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.codec import EncodingError, ProtocolError, check_commands
from channels.protocols.centrifuge.messages import Command, Push, Reply, WireMessage
from channels.protocols.centrifuge.schema import payloads_of

_T = TypeVar("_T")
_encode: Final = msgspec.json.Encoder().encode
_commands: Final = msgspec.json.Decoder(Command)
_replies: Final = msgspec.json.Decoder(Reply)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
_skip: Final = msgspec.json.Decoder(Raw).decode  # reads all, builds nothing


class JSONCodec:
    """The format "json": text, one message a line."""

    name: Final = "json"
    binary: Final = False
    ping: Final = b"{}"

    def decode_commands(self, frame: bytes | str) -> list[Command]:
        """Read the commands of a frame: see :class:`~channels.protocols.centrifuge.codec.Codec`."""
        commands = _lines(_commands, frame)
        check_commands(commands)
        return commands

    def encode_reply(self, reply: Reply) -> bytes:
        """One message for a client."""
        return _line(reply)

    def encode_push(self, push: Push) -> bytes:
        """One message for a client: the reply that holds a push."""
        return b'{"push":' + _line(push) + b"}"

    def encode_uni_push(self, push: Push) -> bytes:
        """One message for a client of a unidirectional transport: the push alone."""
        return _line(push)

    def join(self, messages: Sequence[bytes]) -> bytes:
        """One frame of some messages."""
        return b"\n".join(messages)

    def encode_command(self, command: Command) -> bytes:
        """One message for a server."""
        return _line(command)

    def decode_replies(self, frame: bytes | str) -> list[Reply]:
        """Read the replies of a frame."""
        return _lines(_replies, frame)


JSON: Final = JSONCodec()


def json_payload(data: Raw | bytes | str) -> Raw:
    """A payload of JSON on one line: checked, and copied out of what it was read from.

    Raises:
        EncodingError: it is not JSON in UTF-8.
    """
    try:
        payload = data.encode() if isinstance(data, str) else bytes(data)
        str(payload, "utf-8")
        _skip(payload)
    except _NOT_JSON as error:
        raise _not_json(error) from None
    return Raw(_without_newlines(payload))


def json_string(data: Raw | bytes) -> Raw:
    """A payload as a JSON string, which is how JSON connections that take deltas get each payload and patch.

    Raises:
        EncodingError: the payload is not text in UTF-8.
    """
    try:
        return Raw(_encode(str(data, "utf-8")))
    except UnicodeDecodeError:
        raise EncodingError("a payload is not text in UTF-8, and cannot be a JSON string") from None


def decode_json(kind: type[_T], data: bytes | str) -> _T:
    """Read one value that is no frame: what an HTTP request brings.

    Args:
        kind: a message, or what else msgspec reads.
        data: JSON.

    Raises:
        ProtocolError: it is not of this kind.
    """
    return _refusing(lambda text: msgspec.json.decode(text, type=kind), data)


def _lines(decoder: msgspec.json.Decoder[_T], frame: bytes | str) -> list[_T]:
    messages = _refusing(decoder.decode_lines, frame)
    if not messages:
        raise ProtocolError("the frame is empty; a ping or pong would be {}")
    return messages


def _refusing(decode: Callable[[bytes | str], _T], data: bytes | str) -> _T:
    try:
        if isinstance(data, bytes) and not data.isascii():
            data = data.decode()  # msgspec does not look into payloads
        return decode(data)
    except RecursionError:
        raise ProtocolError("the JSON is nested too deeply") from None
    except UnicodeError:
        raise ProtocolError("the JSON is not UTF-8") from None
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"this is not JSON of the protocol: {error}") from None


def _line(message: WireMessage) -> bytes:
    try:
        for payload in payloads_of(message):
            _skip(payload)
        line = _encode(message)
        if not line.isascii():
            str(line, "utf-8")
    except _NOT_JSON as error:
        raise _not_json(error) from None
    return _without_newlines(line)


def _not_json(error: Exception) -> EncodingError:
    return EncodingError(f"a payload or text is not JSON in UTF-8: {type(error).__name__}")


def _without_newlines(line: bytes) -> bytes:
    # In valid JSON they can only be white space.
    return line.translate(None, b"\r\n") if b"\n" in line or b"\r" in line else line
