"""The fields of responses as HPACK (RFC 7541), without a dynamic table.

What is in a table can be guessed by who shares the connection, has to be kept for each peer, and to search it
takes most of the time of an answer. Without it a field is the same bytes on every connection, made once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpack import Encoder
from hpack.table import HeaderTable

from channels.core.bounded_cache import BoundedCache

_DEFAULT_TABLE_SIZE = 4096
_NO_TABLE = b"\x20"  # RFC 7541 6.3: the dynamic table has no room from now on
_MAX_KNOWN = 256  # bytes of a value that is worth remembering
_LITERAL, _NEVER_INDEXED = 0x00, 0x10  # RFC 7541 6.2.2 and 6.2.3
# A proxy that has tables shall not put them there either.
_SECRET = frozenset({b"set-cookie", b"authorization"})
_FIELDS = {field: index for index, field in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_NAMES = {name: index for (name, _), index in _FIELDS.items()}


class FieldEncoder(Encoder):
    """What h2 encodes fields with, in place of hpack's own."""

    def __init__(self) -> None:
        super().__init__()
        self._says_no_table = False
        self._table_size = _DEFAULT_TABLE_SIZE

    @property
    def header_table_size(self) -> int:
        """How large a table the peer would keep for us, in bytes."""
        return self._table_size

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        # RFC 7541 4.2: who is told to make its table smaller must say that it did.
        self._says_no_table = self._says_no_table or value < self._table_size
        self._table_size = value

    def encode(self, headers: Iterable[Any], huffman: bool = True) -> bytes:
        """Encode fields.

        Args:
            headers: (name, value) pairs of bytes, names lowercased.
            huffman: has no meaning here; strings are sent as they are.
        """
        block = b"".join(
            [
                _known_fields[name, value] if len(value) <= _MAX_KNOWN else _field((name, value))
                for name, value in headers
            ]
        )
        if self._says_no_table:
            self._says_no_table = False
            block = _NO_TABLE + block
        return block


def _field(field: tuple[bytes, bytes]) -> bytes:
    name, value = field
    index = _FIELDS.get(field)
    if index is not None:
        return _integer(0x80, 7, index)
    kind = _NEVER_INDEXED if name in _SECRET else _LITERAL
    index = _NAMES.get(name)
    if index is not None:
        return _integer(kind, 4, index) + _string(value)
    return bytes((kind,)) + _string(name) + _string(value)


_known_fields: BoundedCache[tuple[bytes, bytes], bytes] = BoundedCache("protocols.hpack_fields", 1024, _field)


def _string(data: bytes) -> bytes:
    return _integer(0, 7, len(data)) + data


def _integer(first: int, bits: int, value: int) -> bytes:
    """Encode a number behind the bits that say what it is (RFC 7541 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    encoded = bytearray((first | most,))
    value -= most
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
