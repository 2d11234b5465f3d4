"""The fields of requests out of HPACK (RFC 7541).

A client sends almost the same fields with each request, and HPACK makes the same few bytes of them. As long
as the dynamic table has not changed these mean the same, and are looked up instead of being decoded.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from channels.core.bounded_cache import BoundedCache
from channels.protocols.events import Headers
from channels.protocols.http2.frames import ConnectionFault

Field = tuple[bytes, bytes]

_STATIC: tuple[Field, ...] = HeaderTable.STATIC_TABLE
_LAST_STATIC = len(_STATIC)
_TABLE_SIZE = 4096  # bytes; what we announce, by saying nothing
_FIELD_OVERHEAD = 32  # RFC 7541 4.1
_MAX_INTEGER_BYTES = 5
#: Blocks that one connection remembers, and bytes that one of them may have.
_MAX_KNOWN, _MAX_KNOWN_BLOCK = 16, 512
_MAX_KNOWN_STRING = 64
_INDEXED, _INDEXING, _RESIZE, _NEVER_INDEXED = 0x80, 0x40, 0x20, 0x10


class FieldDecoder:
    """Decodes the header blocks of one connection, in their order.

    Args:
        max_size: bytes of the fields of one block, 32 added for each.
    """

    __slots__ = ("_known", "_max_size", "_table", "_table_limit", "_table_size")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._table: list[Field] = []  # the newest last
        self._table_size = 0
        self._table_limit = _TABLE_SIZE
        self._known: dict[bytes, Headers] = {}

    def decode(self, block: bytes) -> Headers:
        """Decode a whole block.

        Returns:
            The fields; the very same list if the same block comes again, so it must not be changed.

        Raises:
            ConnectionFault: this is no HPACK, or the fields are too large.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            fields, lasting = self._decode(block)
        except (IndexError, HPACKError):
            raise _fault("a header block cannot be decoded") from None
        if lasting and len(block) <= _MAX_KNOWN_BLOCK:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[block] = fields
        return fields

    def _decode(self, block: bytes) -> tuple[Headers, bool]:
        """Return the fields, and whether the block leaves the table as it was."""
        fields: Headers = []
        at, end, left, lasting = 0, len(block), self._max_size, True
        while at < end:
            first = block[at]
            if first > _INDEXED and first <= _INDEXED + _LAST_STATIC:
                field = _STATIC[first - _INDEXED - 1]
                at += 1
            elif first >= _INDEXED:
                index, at = _integer(block, at, 0x7F)
                field = self._field(index)
            elif first >= _INDEXING:
                field, at = self._literal(block, at, 0x3F)
                self._add(field)
                lasting = False
            elif first >= _RESIZE:
                size, at = _integer(block, at, 0x1F)
                self._resize(size, late=bool(fields))
                lasting = False
                continue
            else:
                field, at = self._literal(block, at, 0x0F)
            fields.append(field)
            left -= len(field[0]) + len(field[1]) + _FIELD_OVERHEAD
            if left < 0:
                raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "the fields of a request are too large")
        return fields, lasting

    def _field(self, index: int) -> Field:
        if index > _LAST_STATIC:
            return self._table[_LAST_STATIC - index]
        if not index:
            raise IndexError(index)
        return _STATIC[index - 1]

    def _literal(self, block: bytes, at: int, mask: int) -> tuple[Field, int]:
        cached = not block[at] & _NEVER_INDEXED or mask == 0x3F
        index, at = _integer(block, at, mask)
        if index:
            name = self._field(index)[0]
        else:
            name, at = _string(block, at, cached)
        value, at = _string(block, at, cached)
        return (name, value), at

    def _add(self, field: Field) -> None:
        self._known.clear()
        self._table.append(field)
        self._table_size += len(field[0]) + len(field[1]) + _FIELD_OVERHEAD
        self._evict()

    def _resize(self, size: int, *, late: bool) -> None:
        if late or size > _TABLE_SIZE:
            raise _fault("the table of fields was resized too late or beyond what is allowed")
        self._known.clear()
        self._table_limit = size
        self._evict()

    def _evict(self) -> None:
        """Make room by dropping the oldest (RFC 7541 4.4): all, if the newest is too large for itself."""
        dropped, table = 0, self._table
        while self._table_size > self._table_limit:
            name, value = table[dropped]
            self._table_size -= len(name) + len(value) + _FIELD_OVERHEAD
            dropped += 1
        if dropped:
            del table[:dropped]


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Read a number behind the bits that say what it is (RFC 7541 5.1), and where the next thing begins."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, 7 * _MAX_INTEGER_BYTES, 7):
        more = block[at]
        at += 1
        value += (more & 0x7F) << shift
        if more < 0x80:
            return value, at
    raise _fault("a number in a header block is too large")


def _string(block: bytes, at: int, cached: bool) -> tuple[bytes, int]:
    coded = block[at] & 0x80
    size, at = _integer(block, at, 0x7F)
    data = block[at : at + size]
    if len(data) < size:
        raise _fault("a header block ends in the middle of a field")
    if coded:
        data = _known_strings[data] if cached and size <= _MAX_KNOWN_STRING else decode_huffman(data)
    return data, at + size


_known_strings: BoundedCache[bytes, bytes] = BoundedCache("protocols.hpack_strings", 1024, decode_huffman)


def _fault(reason: str) -> ConnectionFault:
    return ConnectionFault(ErrorCodes.COMPRESSION_ERROR, reason)
