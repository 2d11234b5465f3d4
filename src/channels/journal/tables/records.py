"""A publication on its way into a stream, as one row: its topic, its record, and what its topic keeps.

What to keep in mind when this is changed: fields are added at the end only. Rows of an earlier release may be
pending, and a process of an earlier release passes over fields that it does not know.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from channels.topics.stores.base import Append, Retention
from channels.topics.stores.records import encode_publication


class PendingAppend(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a row of ``Pending`` holds.

    Attributes:
        topic: the name.
        record: the publication, as it is in ``Publication``.
        keep, ttl, position_ttl, idempotency_ttl: see :class:`~channels.topics.stores.base.Retention`.
        idempotency_key, version, version_epoch: see :class:`~channels.topics.stores.base.Append`.
    """

    topic: str
    record: bytes
    keep: int
    ttl: float
    idempotency_key: str = ""
    version: int = 0
    version_epoch: str = ""
    position_ttl: float = Retention().position_ttl
    idempotency_ttl: float = Retention().idempotency_ttl


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(PendingAppend).decode
_DEFAULTS: Final = (Retention().position_ttl, Retention().idempotency_ttl)


def digest_of(text: str) -> str:
    """Return what stands for a topic or a key in an index, whatever characters and length it has."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def ascii_of(text: str) -> str:
    """Return text that a column of any character set takes; plain names are as they are."""
    return text.encode("unicode_escape").decode("ascii")


def encode_pending(append: Append) -> bytes:
    """Return the row of a publication; its defaults are left out."""
    retention = append.retention
    first = (
        append.topic,
        encode_publication(append.publication, append.beside),
        retention.size,
        retention.ttl,
    )
    ttls = (retention.position_ttl, retention.idempotency_ttl)
    if not (append.idempotency_key or append.version) and ttls == _DEFAULTS:
        return _encode(first)
    return _encode((*first, append.idempotency_key, append.version, append.version_epoch, *ttls))


def decode_pending(row: bytes) -> PendingAppend:
    """Return what ``encode_pending`` was given; raises msgspec.DecodeError."""
    return _decode(row)
