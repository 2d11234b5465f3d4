"""What nodes tell each other about live queries: who has evaluated what."""

from __future__ import annotations

from typing import Final

import msgspec

from channels.topics.control import Announcement, encode_control
from channels.topics.stores.base import Store

#: The name under which nodes say what they have evaluated.
EVALUATED: Final = "live.evaluated"


class Evaluated(msgspec.Struct, array_like=True, frozen=True):
    """A node has evaluated a live query, and does so from now on; or leaves it to others.

    Attributes:
        topic: its name.
        node: of the hub.
        covered: the last number of each source of hints that was looked at.
        leaves: the node has no subscribers any more.
    """

    topic: str
    node: str
    covered: dict[str, int] = {}
    leaves: bool = False


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Evaluated).decode


async def tell_nodes(store: Store, evaluated: Evaluated) -> None:
    """Tell all nodes; raises StoreUnavailable."""
    await store.broadcast(encode_control(Announcement(EVALUATED, _encode(evaluated))))


def read_evaluated(data: bytes) -> Evaluated:
    """Return what a node tells; raises msgspec.MsgspecError if it is of another release."""
    return _decode(data)
