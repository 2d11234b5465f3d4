"""Messages as bytes, within a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from channels.layers.local.values import require_message, too_large
from channels.layers.serializers import MsgPackSerializer
from channels.typing import Message

# Neither encrypted nor prefixed: what stays on one machine needs no serialize() around as_bytes().
_serializer: Final = MsgPackSerializer()


class Payloads:
    """Encodes what this process sends, decodes what it gets.

    Args:
        limit: bytes a message may have.

    Attributes:
        decode: returns the message of a payload; each call makes a new one.
    """

    def __init__(self, limit: int) -> None:
        self.decode: Callable[[bytes], Message] = _serializer.from_bytes
        self._limit = limit

    def encode(self, message: Message) -> bytes:
        """Return ``message`` as bytes.

        Raises:
            InvalidMessageError: it is no dict.
            TypeError: a value cannot travel; the text names its key.
            MessageTooLarge: it has more bytes than the limit.
        """
        if type(message) is not dict:
            require_message(message)
        payload = _serializer.as_bytes(message)
        if len(payload) > self._limit:
            raise too_large(message, len(payload), self._limit, "the host layer")
        return payload
