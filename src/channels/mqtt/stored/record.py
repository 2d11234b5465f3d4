"""What is stored of a session, as bytes.

What to keep in mind when this is changed: fields are added at the end only, each with a default. Processes
of an earlier release pass over those that they do not know.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

#: A version is the number of the owner, and below it that of the writing.
OWNER_BITS: Final = 32


class Mark(NamedTuple):
    """The last publication of a topic that a client was sent.

    Attributes:
        offset, epoch: where it is.
        time: when it was published, in milliseconds since 1970; tells whether a stream in another epoch
            still has it.
        next_time: the same of the publication after it, where that is what is known.
    """

    offset: int
    epoch: str
    time: int = 0
    next_time: int = 0

    def before(self) -> Mark:
        """Return the mark of a client to which the publication at this one is still to be sent."""
        return Mark(self.offset - 1, self.epoch, self.time - 1, next_time=self.time)

    def after(self) -> Mark:
        """Return the mark of the publication after this one."""
        return Mark(self.offset + 1, self.epoch, self.next_time)


class StoredSubscription(NamedTuple):
    """A subscription: its filter and its options."""

    filter: str
    qos: int
    no_local: bool
    retain_as_published: bool
    retain_handling: int
    identifier: int


class Sent(NamedTuple):
    """A message that the client has not acknowledged.

    Attributes:
        packet_id: under which it was sent.
        topic: where it is; "" if the client has said that it got it, and PUBREL was sent.
        mark: its place.
        qos: 1 or 2.
    """

    packet_id: int
    topic: str = ""
    mark: Mark = Mark(0, "")
    qos: int = 2


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A session.

    Attributes:
        expiry: seconds that it outlives its connection.
        deadline: when it ends, in seconds since 1970; 0 while it has a connection, or its process was killed.
        last_id: the last packet identifier that was given to a message.
        subscriptions: all of them.
        marks: by topic.
        sent: in their order.
        received: packet identifiers of QoS 2 that the client has not released, and under which idempotency
            key each is published; "" if it was published.
    """

    expiry: float
    deadline: float = 0.0
    last_id: int = 0
    subscriptions: list[StoredSubscription] = []
    marks: dict[str, Mark] = {}
    sent: list[Sent] = []
    received: dict[int, str] = {}


_decode: Final = msgspec.msgpack.Decoder(Record).decode


def encode_record(record: Record) -> bytes:
    """Return a record as bytes."""
    return msgspec.msgpack.encode(record)


def decode_record(data: bytes, now: float) -> Record | None:
    """Return the record that these bytes were made of; None if the session has ended by ``now``."""
    if not data:
        return None
    record = _decode(data)
    return None if record.deadline and record.deadline <= now else record


def record_key(key: tuple[str, str]) -> str:
    """Return under which key the session of a user's client is stored; any length of names fits."""
    user, client = (part.encode() for part in key)
    digest = hashlib.blake2b(b"%d:%s%s" % (len(user), user, client), digest_size=24)
    return f"mqtt.session.{digest.hexdigest()}"
