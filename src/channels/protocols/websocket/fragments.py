"""A WebSocket message that comes in fragments (RFC 6455 section 5.4)."""

from __future__ import annotations

import codecs

_new_decoder = codecs.getincrementaldecoder("utf-8")


class FragmentedMessage:
    """The fragments of a message that have come so far.

    Args:
        text: whether it is a text message, else a binary one.

    Attributes:
        count: its fragments so far.
    """

    __slots__ = ("_data", "_decoder", "count")

    def __init__(self, *, text: bool) -> None:
        self._data = bytearray()
        self._decoder = _new_decoder() if text else None
        self.count = 0

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytes, final: bool) -> None:
        """Take the next fragment.

        Raises:
            UnicodeDecodeError: the text is bad; that is noticed in the fragment that brings it.
        """
        if self._decoder is not None:
            self._decoder.decode(data, final)
        self._data += data
        self.count += 1

    def whole(self) -> str | bytes:
        """Return the message, once its last fragment was added."""
        return self._data.decode() if self._decoder is not None else bytes(self._data)
