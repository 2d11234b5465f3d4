"""permessage-deflate (RFC 7692), the server's side: what is agreed, and the two directions it is agreed for.

Payloads are inflated in :class:`Inflater`, which the ``websockets`` package calls for each frame it reads.
Memory for zlib is taken with the first compressed message, and given back after each message unless context
takeover was agreed: a WebSocket without traffic holds none.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from websockets.exceptions import InvalidHeader, PayloadTooBig
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.headers import parse_extension
from websockets.typing import ExtensionName

from channels.core.bounded_cache import BoundedCache

NAME = "permessage-deflate"

_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 7.2.1: what every flush ends with is not sent
_MAX_BITS = 15
_MIN_BITS = 8
# zlib cannot make raw data with a window of 256 bytes, only read it.
_MIN_OWN_BITS = 9
_MEMORY_LEVEL = 5  # messages are small: zlib's own 8 would cost time and memory for nothing
_MAX_OFFERS = 16
# Bytes of a message that is kept for the next WebSocket: several small ones, one that is large.
_MAX_SMALL_SIZE, _MAX_SHARED_SIZE = 65_536, 1_048_576


class InvalidDeflate(Exception):
    """A compressed message cannot be inflated; the reason goes into the close frame, with 1007."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How messages are compressed on their way to a peer.

    Two WebSockets whose values are equal can be sent the same compressed frame, if it is ``shareable``.

    Attributes:
        window_bits: 9 to 15; the peer needs ``2 ** window_bits`` bytes to follow.
        context_takeover: a message is compressed with what the messages before it were like.
        min_size: a message of fewer bytes is not compressed.
        level: zlib's, 1 (fast) to 9 (small).
    """

    window_bits: int = _MAX_BITS
    context_takeover: bool = False
    min_size: int = 256
    level: int = 1

    @property
    def shareable(self) -> bool:
        """Whether a compressed message does not depend on the WebSocket that it is sent on."""
        return not self.context_takeover

    def compresses(self, data: bytes) -> bool:
        """Whether a message is to be compressed for all sockets at once."""
        return not self.context_takeover and len(data) >= self.min_size

    def deflate(self, data: bytes) -> bytes:
        """Compress one message for all sockets at once; see :func:`compress`."""
        return compress(data, self)

    def compressor(self) -> zlib._Compress:
        """Make a compressor without any context."""
        return zlib.compressobj(self.level, zlib.DEFLATED, -self.window_bits, _MEMORY_LEVEL)


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """What the server agrees to.

    Attributes:
        window_bits: 9 to 15; the most that either side is to use. What it costs is only held between
            messages with context takeover.
        server_context_takeover: our messages may build on earlier ones. It makes them smaller, costs up to
            150 KiB for each WebSocket that was sent one, and a broadcast is compressed for each.
        client_context_takeover: the peer's messages may; it costs up to 40 KiB for each WebSocket.
        min_size: bytes; a message that is smaller is sent as it is.
        level: zlib's, 1 (fast) to 9 (small).

    Raises:
        ValueError: a value is out of range.
    """

    window_bits: int = 12
    server_context_takeover: bool = False
    client_context_takeover: bool = False
    min_size: int = 256
    level: int = 1

    def __post_init__(self) -> None:
        if not _MIN_OWN_BITS <= self.window_bits <= _MAX_BITS:
            raise ValueError(f"window_bits is 9 to 15, not {self.window_bits!r}.")
        if not 1 <= self.level <= 9:
            raise ValueError(f"level is 1 to 9, not {self.level!r}.")
        if self.min_size < 0:
            raise ValueError(f"min_size is a number of bytes, 0 or more, not {self.min_size!r}.")


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What was agreed for one WebSocket.

    Attributes:
        outgoing: how our messages are compressed.
        client_context_takeover: the peer's messages may build on earlier ones.
        client_window_bits: how far back they may refer, or None if that was not said.
        server_bits_asked: the peer asked for a limit to our window, so the answer names it.
    """

    outgoing: Compression
    client_context_takeover: bool
    client_window_bits: int | None = None
    server_bits_asked: bool = False

    @property
    def header(self) -> bytes:
        """The value of Sec-WebSocket-Extensions in the answer (RFC 7692 7.1)."""
        parts = [NAME]
        if not self.outgoing.context_takeover:
            parts.append("server_no_context_takeover")
        if not self.client_context_takeover:
            parts.append("client_no_context_takeover")
        if self.server_bits_asked or self.outgoing.window_bits < _MAX_BITS:
            parts.append(f"server_max_window_bits={self.outgoing.window_bits}")
        if self.client_window_bits is not None:
            parts.append(f"client_max_window_bits={self.client_window_bits}")
        return "; ".join(parts).encode("ascii")


def negotiate(
    offers: Iterable[bytes], settings: DeflateSettings = DeflateSettings()
) -> DeflateParameters | None:
    """Agree to the first offer of the peer that can be met.

    Args:
        offers: the values of Sec-WebSocket-Extensions, in order.
        settings: what the server agrees to.

    Returns:
        What is agreed, or None to speak without compression: there is no offer, or each one has parameters
        that are unknown, repeated, malformed, or cannot be met.

    See RFC 7692 section 7.1; malformed fields are declined like unknown extensions (RFC 6455 9.1).
    """
    header = b",".join(offers)
    if NAME.encode() not in header.lower():
        return None
    try:
        parsed = parse_extension(header.decode("latin-1"))
    except InvalidHeader:
        return None
    for name, parameters in parsed[:_MAX_OFFERS]:
        if name.lower() == NAME and (agreed := _judge(parameters, settings)) is not None:
            return agreed
    return None


def _judge(
    parameters: Sequence[tuple[str, str | None]], settings: DeflateSettings
) -> DeflateParameters | None:
    """Judge one offer."""
    asked = dict(parameters)
    if len(asked) != len(parameters) or any(
        value not in _PARAMETERS.get(name, ()) for name, value in asked.items()
    ):
        return None
    server_bits = min(settings.window_bits, int(asked.get("server_max_window_bits") or _MAX_BITS))
    if server_bits < _MIN_OWN_BITS:
        return None
    client_bits: int | None = None
    if "client_max_window_bits" in asked:
        client_bits = min(settings.window_bits, int(asked["client_max_window_bits"] or _MAX_BITS))
    takeover = settings.server_context_takeover and "server_no_context_takeover" not in asked
    return DeflateParameters(
        Compression(server_bits, takeover, settings.min_size, settings.level),
        settings.client_context_takeover and "client_no_context_takeover" not in asked,
        client_bits,
        "server_max_window_bits" in asked,
    )


_BITS: frozenset[str | None] = frozenset(str(bits) for bits in range(_MIN_BITS, _MAX_BITS + 1))
#: The parameters there are, and the values that each may have; None stands for none.
_PARAMETERS: dict[str, frozenset[str | None]] = {
    "server_no_context_takeover": frozenset({None}),
    "client_no_context_takeover": frozenset({None}),
    "server_max_window_bits": _BITS,
    "client_max_window_bits": _BITS | {None},
}


def compress(data: bytes, compression: Compression) -> bytes:
    """Compress one message so that it does not depend on any other (RFC 7692 7.2.1).

    The same message for many WebSockets is compressed once: a few of the last ones are kept.

    Args:
        data: the message.
        compression: how.

    Raises:
        ValueError: with context takeover a message depends on what was sent before it.
    """
    if not compression.shareable:
        raise ValueError(
            "With context takeover each WebSocket compresses for itself: use its send_message()."
        )
    if len(data) <= _MAX_SMALL_SIZE:
        return _small[data, compression]
    if len(data) <= _MAX_SHARED_SIZE:
        return _large[data, compression]
    return _compress((data, compression))


def _compress(message: tuple[bytes, Compression]) -> bytes:
    data, compression = message
    return _flush(compression.compressor(), data)


_small: BoundedCache[tuple[bytes, Compression], bytes] = BoundedCache(
    "protocols.deflated_messages", 16, _compress
)
#: Two, for two kinds of clients at the same time.
_large: BoundedCache[tuple[bytes, Compression], bytes] = BoundedCache(
    "protocols.deflated_large_messages", 2, _compress
)


def _flush(compressor: zlib._Compress, data: bytes) -> bytes:
    compressed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return compressed[: -len(_TAIL)]


class Deflater:
    """Compresses what is sent on one WebSocket.

    Args:
        compression: as it was agreed.
    """

    __slots__ = ("_compressor", "compression")

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        self._compressor: zlib._Compress | None = None

    def compresses(self, data: bytes) -> bool:
        """Whether a message is to be compressed for this socket."""
        return len(data) >= self.compression.min_size

    def deflate(self, data: bytes) -> bytes:
        """Compress one message."""
        if self.compression.shareable:
            return compress(data, self.compression)
        if self._compressor is None:
            self._compressor = self.compression.compressor()
        return _flush(self._compressor, data)


class Inflater(Extension):
    """Inflates what is received on one WebSocket; the frame parser of ``websockets`` calls it.

    Args:
        parameters: as they were agreed.
    """

    name = ExtensionName(NAME)

    def __init__(self, parameters: DeflateParameters) -> None:
        self._bits = -(parameters.client_window_bits or _MAX_BITS)
        self._takeover = parameters.client_context_takeover
        self._inflater: zlib._Decompress | None = None
        self._message: bool | None = None  # whether the message that has begun is compressed

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Inflate the payload of a frame that belongs to a compressed message.

        Args:
            frame: as it was read. Its first reserved bit is taken back where it may be set, on the first
                frame of a message; elsewhere it stays, and the parser refuses it (RFC 7692 6.2).
            max_size: bytes that may come out; None for no limit.

        Raises:
            PayloadTooBig: more would come out; no more than that was inflated.
            InvalidDeflate: it is no compressed data.
        """
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            if self._message is not None:  # inside another: the connection refuses it
                return replace(frame, rsv1=False)
            self._message = frame.rsv1
        elif frame.opcode is not Opcode.CONT or frame.rsv1:
            return frame
        compressed = self._message
        if frame.fin:
            self._message = None
        if not compressed:
            return frame
        data = self._inflate(bytes(frame.data), frame.fin, max_size)
        return replace(frame, data=data, rsv1=False)

    def _inflate(self, data: bytes, final: bool, max_size: int | None) -> bytes:
        if self._inflater is None:
            self._inflater = zlib.decompressobj(self._bits)
        inflater = self._inflater
        if final:
            data += _TAIL
        try:
            # One byte more than may come out tells whether more would; 0 means no limit to zlib.
            inflated = inflater.decompress(data, 0 if max_size is None else min(max_size + 1, sys.maxsize))
        except zlib.error:
            raise InvalidDeflate("a compressed message cannot be inflated") from None
        if max_size is not None and len(inflated) > max_size:
            raise PayloadTooBig(len(inflated), max_size)
        if inflater.eof:
            self._check_end(inflater.unused_data, final)
        if final and (inflater.eof or not self._takeover):
            self._inflater = None
        return inflated

    @staticmethod
    def _check_end(rest: bytes, final: bool) -> None:
        """A message may end with a final block; one byte of padding may follow it (RFC 7692 7.2.3.4)."""
        if (rest.removesuffix(_TAIL) if final else rest) not in (b"", b"\0"):
            raise InvalidDeflate("a compressed message goes on behind its final block")
