"""Which process hands a message on: the first that claims it in the store.

A group's claim of a topic is one value, whose version is the offset of the last message that was claimed.
Offsets are claimed in their order, so that none is left out, and the value says where the group is when
nobody was there for a while.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple
from zlib import crc32

from channels.mqtt.stored.record import Mark
from channels.topics.stores.values import Value, Values

#: Seconds that a claim of a message without an offset is kept.
BRIEF: Final = 60.0


class ShareName(NamedTuple):
    """A shared subscription: ``$share/GROUP/FILTER``."""

    group: str
    filter: str


async def claim(values: Values, share: ShareName, topic: str, mark: Mark, ttl: float) -> bool:
    """Claim a message for a group; returns False if another process has it.

    Args:
        values: of the store.
        share: the group.
        topic: the name.
        mark: where the message is.
        ttl: seconds until the group's place is forgotten.
    """
    value = Value(mark.offset, b"%d" % mark.time)
    return await values.put(_key(share, topic, mark.epoch), value, ttl)


async def claim_once(values: Values, share: ShareName, topic: str, what: str) -> bool:
    """Claim something that has no offset, or is handed on again."""
    return await values.put(f"{_key(share, topic, '')}.{what}", Value(1, b""), BRIEF)


async def claimed(values: Values, share: ShareName, topic: str, epoch: str) -> Mark | None:
    """Return up to where a group has claimed a topic; None if that is not known."""
    value = await values.get(_key(share, topic, epoch))
    return None if value is None else Mark(value.version, epoch, int(value.data))


def print_of(payload: bytes) -> str:
    """Return what tells messages without an offset apart."""
    return f"{crc32(payload):08x}"


def _key(share: ShareName, topic: str, epoch: str) -> str:
    text = "\0".join((*share, topic, epoch))
    return f"mqtt.share.{hashlib.blake2b(text.encode(), digest_size=18).hexdigest()}"
