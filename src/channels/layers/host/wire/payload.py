"""Messages as bytes, within a limit."""

from __future__ import annotations

from typing import Final

from channels.exceptions import MessageTooLarge
from channels.layers.local.values import require_message
from channels.layers.serializers import MsgPackSerializer
from channels.typing import Message

_serializer: Final = MsgPackSerializer()


class Payloads:
    """Encodes what this process sends, decodes what it gets.

    Args:
        limit: bytes a message may have.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def encode(self, message: Message) -> bytes:
        """Return ``message`` as bytes.

        Raises:
            InvalidMessageError: it is no dict.
            TypeError: a value cannot travel; the text names its key.
            MessageTooLarge: it has more bytes than the limit.
        """
        require_message(message)
        payload = _serializer.serialize(message)
        if len(payload) > self._limit:
            raise MessageTooLarge(
                f"A message of type {message.get('type')!r} has {len(payload)} bytes, the host layer carries "
                f"{self._limit} (CONFIG['max_message_size']). Send where the data can be found instead."
            )
        return payload

    def decode(self, payload: bytes) -> Message:
        """Return the message; each call makes a new one."""
        message: Message = _serializer.deserialize(payload)
        return message
