"""The framings that have a name: lines, length prefix, fixed size and netstrings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from channels.protocols.framing.interfaces import Framing, FramingError

#: The largest message where nothing is said, in bytes.
MAX_SIZE = 65536
#: How many digits a netstring's length may have, whatever the limit: 9 digits are less than a gigabyte.
_MOST_DIGITS = 9


def _checked(name: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value!r}.")
    return value


def _refuse_large(size: int, most: int) -> None:
    """Refuse a message of the peer, before any of it is kept."""
    if size > most:
        raise FramingError("too_large", f"A message has {size} bytes or more; at most {most} are taken.")


def _fitting(message: bytes, most: int) -> bytes:
    if len(message) > most:
        raise ValueError(f"A message has {len(message)} bytes; max_size is {most}.")
    return message


class Lines:
    """Messages that end with a line end, which is not part of them.

    Args:
        max_size: the longest line in bytes, without its end; from 1 on.
        end: what is sent behind a message. Where it is CR LF a bare LF ends a line as well, as a person at
            ``nc`` types it.

    Attributes:
        pending: bytes of a line whose end has not come.
    """

    def __init__(self, max_size: int = MAX_SIZE, end: bytes = b"\r\n") -> None:
        self._max = _checked("max_size", max_size, 1, 2**31)
        if not end:
            raise ValueError("end must not be empty: it is what tells lines apart.")
        self._end = end
        self._sought = b"\n" if end == b"\r\n" else end
        self._held = bytearray()
        self._seen = 0

    @property
    def pending(self) -> int:
        """See the class."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See :meth:`Framing.feed`."""
        held, sought = self._held, self._sought
        held += data
        begin = 0
        try:
            while (at := held.find(sought, max(begin, self._seen))) >= 0:
                line = bytes(held[begin:at])
                begin = at + len(sought)
                self._seen = begin
                yield self._whole(line)
            self._seen = max(begin, len(held) - len(sought) + 1)
        finally:
            del held[:begin]
            self._seen = max(0, self._seen - begin)
        # A CR that may belong to the end is no part of the line yet.
        _refuse_large(len(held) - len(self._end) + 1, self._max)

    def _whole(self, line: bytes) -> bytes:
        if self._end == b"\r\n":
            line = line.removesuffix(b"\r")
        _refuse_large(len(line), self._max)
        return line

    def pack(self, message: bytes) -> bytes:
        """See :meth:`Framing.pack`."""
        if self._sought in message:
            raise ValueError(f"A line cannot hold its own end, {self._sought!r}.")
        return _fitting(message, self._max) + self._end


class _Buffered:
    """The base of framings that know the size of what comes next.

    Attributes:
        pending: bytes that are no whole message yet.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def pending(self) -> int:
        """See the class."""
        return len(self._held)

    def _next(self, begin: int) -> tuple[int, int, int] | None:
        """Return where the message at ``begin`` begins, where it ends, and where the next one begins.

        None: more has to come first.
        """
        raise NotImplementedError

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See :meth:`Framing.feed`."""
        held = self._held
        held += data
        begin = 0
        try:
            while (found := self._next(begin)) is not None:
                first, last, begin = found
                yield bytes(held[first:last])
        finally:
            del held[:begin]


class LengthPrefix(_Buffered):
    """Messages with their length before them, as a binary number.

    Args:
        max_size: the largest message in bytes; from 1 on.
        size: how many bytes the length has: 1, 2, 3, 4 or 8.
        byteorder: ``"big"`` (network order) or ``"little"``.
    """

    def __init__(
        self, max_size: int = MAX_SIZE, size: int = 4, byteorder: Literal["big", "little"] = "big"
    ) -> None:
        super().__init__()
        if size not in (1, 2, 3, 4, 8):
            raise ValueError(f"size must be 1, 2, 3, 4 or 8 (bytes of the length), got {size!r}.")
        self._size = size
        self._order: Literal["big", "little"] = byteorder
        self._max = min(_checked("max_size", max_size, 1, 2**31), 256**size - 1)

    def _next(self, begin: int) -> tuple[int, int, int] | None:
        first = begin + self._size
        if len(self._held) < first:
            return None
        length = int.from_bytes(self._held[begin:first], self._order)
        _refuse_large(length, self._max)
        end = first + length
        return (first, end, end) if len(self._held) >= end else None

    def pack(self, message: bytes) -> bytes:
        """See :meth:`Framing.pack`."""
        return len(_fitting(message, self._max)).to_bytes(self._size, self._order) + message


class Fixed(_Buffered):
    """Messages that all have the same size.

    Args:
        size: of each, in bytes; from 1 on.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = _checked("size", size, 1, 2**31)

    def _next(self, begin: int) -> tuple[int, int, int] | None:
        end = begin + self._size
        return (begin, end, end) if len(self._held) >= end else None

    def pack(self, message: bytes) -> bytes:
        """See :meth:`Framing.pack`."""
        if len(message) != self._size:
            raise ValueError(f"A message has {len(message)} bytes; each has {self._size} here.")
        return message


class Netstring(_Buffered):
    """Messages as netstrings: ``5:hello,`` (cr.yp.to/proto/netstrings.txt).

    Args:
        max_size: the largest message in bytes; from 1 on.
    """

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        super().__init__()
        self._max = _checked("max_size", max_size, 1, 10**_MOST_DIGITS - 1)

    def _next(self, begin: int) -> tuple[int, int, int] | None:
        colon = self._held.find(b":", begin, begin + _MOST_DIGITS + 1)
        digits = bytes(self._held[begin : colon if colon >= 0 else begin + _MOST_DIGITS + 1])
        if (digits and not digits.isdigit()) or (digits[:1] == b"0" and len(digits) > 1):
            raise FramingError("no_length", "A netstring begins with its length and a colon.")
        if colon < 0:
            _refuse_large(int(digits or b"0"), self._max)
            return None
        if not digits:
            raise FramingError("no_length", "A netstring begins with its length and a colon.")
        _refuse_large(int(digits), self._max)
        end = colon + 1 + int(digits)
        if len(self._held) <= end:
            return None
        if self._held[end] != 0x2C:
            raise FramingError("no_comma", "A netstring ends with a comma.")
        return colon + 1, end, end + 1

    def pack(self, message: bytes) -> bytes:
        """See :meth:`Framing.pack`."""
        return b"%d:%b," % (len(_fitting(message, self._max)), message)


class Raw:
    """No framing: what arrives is handed on as it came, in pieces that mean nothing."""

    pending = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See :meth:`Framing.feed`."""
        if data:
            yield data

    def pack(self, message: bytes) -> bytes:
        """See :meth:`Framing.pack`."""
        return message


#: The framings by name.
FRAMINGS: dict[str, Callable[..., Framing]] = {
    "lines": Lines,
    "length-prefix": LengthPrefix,
    "fixed": Fixed,
    "netstring": Netstring,
    "raw": Raw,
}


def new_framing(framing: str | Callable[..., Framing], options: dict[str, Any]) -> Framing:
    """Make the framing of one connection.

    Args:
        framing: a name of :data:`FRAMINGS`, or a class (or what returns an instance) of one's own.
        options: its keyword arguments.

    Raises:
        ValueError: there is no such name, or an option has a value out of its range.
        TypeError: it is an instance, or an option is unknown.
    """
    if isinstance(framing, str):
        if framing not in FRAMINGS:
            raise ValueError(f"There is no framing {framing!r}; there are {', '.join(FRAMINGS)}.")
        return FRAMINGS[framing](**options)
    if not callable(framing):
        raise TypeError(
            f"framing is an instance, {framing!r}, which all connections would share; give its class."
        )
    return framing(**options)
