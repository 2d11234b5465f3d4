"""Rows of a live query at a position of its stream, kept so that a node can begin with them.

They stand in a stream beside the topic's, one at a time. A node that has it and the publications since then
knows the rows as every subscriber has them, without asking the database.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from channels.live.rows import Row, Rows
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Append, Position, Retention, Store

#: Publications after which rows are kept anew; less where the history is short.
EVERY: Final = 100


class Checkpoint(NamedTuple):
    """Rows at a position."""

    position: Position
    rows: Rows


class _Record(msgspec.Struct):
    offset: int
    epoch: str
    rows: list[Row]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Record).decode


def stream_of(topic: str) -> str:
    """Return the name of the stream beside a topic's."""
    return f"channels.live:{topic}"


async def read_checkpoint(store: Store, topic: str) -> Checkpoint | None:
    """Return what was kept last; None if there is nothing, or nothing that can be read."""
    page = await store.read(stream_of(topic), limit=1, reverse=True)
    if not page.publications:
        return None
    try:
        record = _decode(page.publications[0].data)
    except msgspec.MsgspecError:  # of another release
        return None
    rows = Rows({each.key: bytes(each.row) for each in record.rows})
    return Checkpoint(Position(record.offset, record.epoch), rows)


async def write_checkpoint(store: Store, topic: str, checkpoint: Checkpoint, ttl: float) -> None:
    """Keep rows, unless later ones are kept already.

    Args:
        store: of the topic.
        topic: its name.
        checkpoint: what is kept.
        ttl: seconds.
    """
    offset, epoch = checkpoint.position
    rows = [Row(key, Raw(row)) for key, row in checkpoint.rows.items()]
    data = Raw(_encode(_Record(offset, epoch, rows)))
    retention = Retention(size=1, ttl=ttl, position_ttl=ttl)
    append = Append(stream_of(topic), Publication(data=data), retention, version=offset, version_epoch=epoch)
    await store.publish(append)
