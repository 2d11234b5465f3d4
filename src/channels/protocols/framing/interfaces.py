"""What a framing is, and what it raises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class FramingError(ValueError):
    """The peer broke the rules of the framing; nothing behind that place can be understood.

    Args:
        reason: a word for counters, such as ``too_large``.
        text: a sentence that says what was wrong and what was got.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Framing(Protocol):
    """Tells messages apart in one connection's bytes; each connection has its own.

    A class may have an attribute ``pending`` beside these: how many bytes of a message that is not
    complete it holds. What a connection's end cuts is counted by it.
    """

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Take bytes as they came, from one to many messages' worth; return the messages they complete.

        Raises:
            FramingError: they are no messages, or one is too large. What came before is returned first:
                by an iterator that raises at its end, or by the next call.
        """
        ...

    def pack(self, message: bytes) -> bytes:
        """Return the bytes to send for one message.

        Raises:
            ValueError: it cannot be sent as one.
        """
        ...
