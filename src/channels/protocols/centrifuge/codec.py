"""What a format of the protocol offers, and what both check in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from channels.protocols.centrifuge.messages import Command, FilterNode, Push, Reply

#: How deep a filter may be nested: what evaluates it may recurse.
MAX_FILTER_DEPTH: Final = 32


class ProtocolError(ValueError):
    """A frame is not one of the protocol: disconnect with code 3501.

    Args:
        args: what was wrong, for people. It never holds bytes of the frame.
    """


class EncodingError(ValueError):
    """A message of ours cannot be encoded in this format: a payload is not JSON, a number has no room.

    Args:
        args: what was wrong, for people. It never holds the payload.
    """


class Codec(Protocol):
    """One format: commands from bytes and replies to bytes, and the client's direction too.

    A message is what ``encode_*`` returns. A frame is what :meth:`join` makes of some messages; one message
    is a frame as well.
    """

    @property
    def name(self) -> str:
        """``json`` or ``protobuf``."""

    @property
    def binary(self) -> bool:
        """Whether a WebSocket carries the frames as binary messages."""

    @property
    def ping(self) -> bytes:
        """The empty message: the server's ping, and the client's pong."""

    def decode_commands(self, frame: bytes | str) -> list[Command]:
        """Read the commands of a frame, one at least.

        Raises:
            ProtocolError: the frame is empty, or not of this format.
        """

    def encode_reply(self, reply: Reply) -> bytes:
        """One message for a client.

        Raises:
            EncodingError: the reply does not fit this format.
        """

    def encode_push(self, push: Push) -> bytes:
        """One message for a client: the reply that holds a push.

        Raises:
            EncodingError: the push does not fit this format.
        """

    def encode_uni_push(self, push: Push) -> bytes:
        """One message for a client of a unidirectional transport: the push alone.

        Raises:
            EncodingError: the push does not fit this format.
        """

    def join(self, messages: Sequence[bytes]) -> bytes:
        """One frame of some messages, one at least."""

    def encode_command(self, command: Command) -> bytes:
        """One message for a server.

        Raises:
            EncodingError: the command does not fit this format.
        """

    def decode_replies(self, frame: bytes | str) -> list[Reply]:
        """Read the replies of a frame, one at least.

        Raises:
            ProtocolError: the frame is empty, or not of this format.
        """


def check_commands(commands: Iterable[Command]) -> None:
    """See that no filter is nested deeper than :data:`MAX_FILTER_DEPTH`.

    Raises:
        ProtocolError: one is.
    """
    for command in commands:
        if command.subscribe is not None and command.subscribe.tf is not None:
            _check_depth(command.subscribe.tf)
        if command.connect is not None:
            for subscribe in command.connect.subs.values():
                if subscribe.tf is not None:
                    _check_depth(subscribe.tf)


def _check_depth(root: FilterNode) -> None:
    level = [root]
    for _ in range(MAX_FILTER_DEPTH):
        level = [node for parent in level for node in parent.nodes]
        if not level:
            return
    raise ProtocolError(f"a filter is nested deeper than {MAX_FILTER_DEPTH} levels; make it flatter")
