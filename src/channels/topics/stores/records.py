"""How stores write publications and clients: MessagePack arrays, what is zero at their end left out.

A publication is written once, by whoever publishes it, and is the same bytes in the stream and on its way.
Offset and epoch stand beside it, since they are known only when it is in its place.

What to keep in mind when this is changed: fields are added at the end only. Processes of an earlier release
pass over those that they do not know.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.messages import EMPTY, ClientInfo, Publication


class _Client(msgspec.Struct, array_like=True, frozen=True, gc=False):
    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""


class _Publication(msgspec.Struct, array_like=True, frozen=True, gc=False):
    data: bytes = b""
    time: int = 0
    info: _Client | None = None
    tags: dict[str, str] = {}
    version: int = 0
    key: str = ""
    removed: bool = False
    score: int = 0
    beside: dict[str, str] | None = None


class CarriedPublication(Publication, frozen=True, dict=True, gc=True):
    """A publication with what travels beside it; clients get it like any other.

    Attributes:
        beside: see :class:`~channels.topics.stores.base.Append`; none of the wire's fields.
    """

    beside: ClassVar[dict[str, str]] = {}


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_client: Final = msgspec.msgpack.Decoder(_Client).decode
_decode_publication: Final = msgspec.msgpack.Decoder(_Publication).decode

#: What is raised for bytes that are no record.
NotARecord: Final = msgspec.DecodeError


def encode_client(info: ClientInfo) -> bytes:
    """Return a client as bytes."""
    return _encode(_client_fields(info))


def decode_client(record: bytes) -> ClientInfo:
    """Return the client that these bytes were made of; raises NotARecord."""
    return _client(_decode_client(record))


def encode_publication(publication: Publication, beside: dict[str, str] | None = None) -> bytes:
    """Return a publication as bytes, without its offset and epoch.

    Args:
        publication: what is written.
        beside: see :class:`~channels.topics.stores.base.Append`; not one byte if there is nothing.
    """
    data, time, info = bytes(publication.data), publication.time, publication.info
    if beside or publication.version or publication.key or publication.removed or publication.score:
        last = (publication.version, publication.key, publication.removed, publication.score)
        fields = (data, time, _optional(info), publication.tags, *last)
        return _encode((*fields, beside) if beside else fields)
    if info is not None or publication.tags:
        return _encode((data, time, _optional(info), publication.tags))
    return _encode((data, time))


def decode_publication(record: bytes, offset: int, epoch: str) -> Publication:
    """Return the publication that these bytes were made of, in its place; raises NotARecord."""
    found = _decode_publication(record)
    publication = Publication(
        data=_raw(found.data),
        info=None if found.info is None else _client(found.info),
        offset=offset,
        tags=found.tags,
        time=found.time,
        key=found.key,
        removed=found.removed,
        score=found.score,
        epoch=epoch,
        version=found.version,
    )
    return carried(publication, found.beside) if found.beside else publication


def beside_of(record: bytes) -> dict[str, str] | None:
    """Return what travels beside a publication, given its record; raises NotARecord."""
    return _decode_publication(record).beside


def carried(publication: Publication, beside: dict[str, str]) -> CarriedPublication:
    """Return a publication with what travels beside it."""
    found = CarriedPublication(*msgspec.structs.astuple(publication))
    vars(found)["beside"] = beside  # past the fields, which codecs write
    return found


def _client_fields(info: ClientInfo) -> tuple[str, str, bytes, bytes]:
    return info.user, info.client, bytes(info.conn_info), bytes(info.chan_info)


def _optional(info: ClientInfo | None) -> tuple[str, str, bytes, bytes] | None:
    return None if info is None else _client_fields(info)


def _client(found: _Client) -> ClientInfo:
    return ClientInfo(found.user, found.client, _raw(found.conn_info), _raw(found.chan_info))


def _raw(data: bytes) -> Raw:
    """Return a payload; none is :data:`EMPTY` itself, by which codecs know that there is none."""
    return Raw(data) if data else EMPTY
