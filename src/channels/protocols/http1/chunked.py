"""The chunked transfer coding undone, for the engine whose own reader is too lenient (RFC 9112 section 7.1).

h11 takes white space behind a size, controls in an extension, sizes of 20 digits, and folded trailers. Where
a trailer ends with a bare LF it ends the body where nobody else does, and what followed was lost.
"""

from __future__ import annotations

import re

from channels.protocols.events import Headers
from channels.protocols.http.abnf import CHUNK_LINE, FIELD_LINE
from channels.protocols.http.malformed import MalformedMessage

_size_line = re.compile(CHUNK_LINE).fullmatch
_trailer_line = re.compile(FIELD_LINE).fullmatch
# RFC 9110 6.5.1: framing, routing and the content's format. Refused as soon as such a line is there, as the
# other engine does it; what else is forbidden is found when the trailers are complete.
_FORBIDDEN = frozenset(
    b"host content-length transfer-encoding connection upgrade te trailer"
    b" content-type content-encoding content-range".split()
)
_MAX_LINE = 16_384  # bytes; the other engine's limit
_MAX_TRAILERS = 100


class _Broken(Exception):
    """The peer's bytes are no chunks."""


class ChunkReader:
    """Undoes the coding of one body; see :data:`channels.protocols.http.malformed.ReadChunks`."""

    __slots__ = ("_buffer", "_in_trailers", "_left", "_seam", "_trailers")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._seam = self._in_trailers = False
        self._trailers: Headers = []

    def __call__(self, data: bytes) -> tuple[bytes, Headers | None]:
        """Read the next bytes.

        Returns:
            The bytes of the body among them, and the trailers if the body is complete, else None.

        Raises:
            MalformedMessage: these are no chunks.
        """
        self._buffer += data
        parts: list[bytes] = []
        try:
            while self._left or self._seam or not self._in_trailers:
                if not self._advance(parts):
                    return b"".join(parts), None
            ended = self._read_trailers()
        except _Broken:
            raise MalformedMessage(400, "malformed chunked coding", b"".join(parts)) from None
        return b"".join(parts), self._trailers if ended else None

    def _advance(self, parts: list[bytes]) -> bool:
        """Read one size, one part of a chunk, or the line's end behind it; False if more must come."""
        if self._left:
            return self._read_data(parts)
        if self._seam:
            return self._read_seam()
        line = self._take_line()
        if line is None:
            return False
        size = _size_line(line)
        if size is None:
            raise _Broken
        self._left = int(size[1], 16)
        self._in_trailers = not self._left
        return True

    def _read_data(self, parts: list[bytes]) -> bool:
        part = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        parts.append(part)
        self._left -= len(part)
        self._seam = not self._left
        return bool(part)

    def _read_seam(self) -> bool:
        end = bytes(self._buffer[:2])
        if not b"\r\n".startswith(end):
            raise _Broken
        if len(end) < 2:
            return False
        del self._buffer[:2]
        self._seam = False
        return True

    def _read_trailers(self) -> bool:
        while (line := self._take_line()) is not None:
            if line == b"\r\n":
                return True
            field = _trailer_line(line)
            if field is None or len(self._trailers) == _MAX_TRAILERS or field[1].lower() in _FORBIDDEN:
                raise _Broken
            self._trailers.append((field[1].lower(), field[2]))
        return False

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n") + 1
        if (end or len(self._buffer)) > _MAX_LINE:
            raise _Broken
        if not end:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line
