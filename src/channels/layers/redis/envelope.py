"""What travels on a topic: who sent it, its number, for whom, and the message.

Publish/subscribe keeps nothing for a receiver that is cut off. Each sender therefore
numbers what it publishes on a topic, and each receiver watches the numbers: one that is
missing is a message that was lost, one that comes again was sent twice by a retry.

A *mark* is an envelope without a message. It tells the number a sender has reached, so that a
receiver that was cut off learns of messages it missed at the end as well.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from typing import Final, NamedTuple

#: Version and kind, sender, number, length of the channel name that follows.
HEAD: Final = struct.Struct(">B8sQB")
MESSAGE: Final = 0x11
MARK: Final = 0x12

#: Topics a sender numbers before it begins anew under another name.
MAX_TOPICS: Final = 10_000
#: Senders a receiver remembers per topic; the one that was silent for longest is forgotten.
MAX_SENDERS: Final = 256


class Envelope(NamedTuple):
    """One thing that came in on a topic.

    Attributes:
        kind: MESSAGE or MARK.
        sender: whose numbers these are.
        number: of this message, or with a mark of the latest.
        channel: the channel it is meant for; empty for a group.
        body: the serialized message.
    """

    kind: int
    sender: bytes
    number: int
    channel: str
    body: bytes


def seal(kind: int, sender: bytes, number: int, channel: str, body: bytes) -> bytes:
    """Return the envelope as bytes; a channel name is ASCII and shorter than 256."""
    name = channel.encode()
    return HEAD.pack(kind, sender, number, len(name)) + name + body


def unseal(data: bytes) -> Envelope | None:
    """Return the envelope, or None if these bytes are none of ours."""
    if len(data) < HEAD.size:
        return None
    kind, sender, number, length = HEAD.unpack_from(data)
    body = HEAD.size + length
    if kind not in (MESSAGE, MARK) or len(data) < body:
        return None
    return Envelope(kind, sender, number, data[HEAD.size : body].decode("ascii", "replace"), data[body:])


class Numbers:
    """The sender's side: the latest number on each topic, and which are on their way."""

    def __init__(self) -> None:
        self.sender = os.urandom(8)
        self._latest: dict[bytes, int] = {}
        self._on_their_way: dict[bytes, set[int]] = {}

    def next(self, topic: bytes) -> int:
        """Return the number of the next message on ``topic``, from 1; call ``settle`` afterwards."""
        number = self._latest.get(topic, 0) + 1
        if number == 1 and len(self._latest) >= MAX_TOPICS:
            self.sender = os.urandom(8)
            self._latest.clear()
            self._on_their_way.clear()
        self._latest[topic] = number
        self._on_their_way.setdefault(topic, set()).add(number)
        return number

    def settle(self, topic: bytes, number: int) -> None:
        """Note that message ``number`` will not be sent again."""
        numbers = self._on_their_way.get(topic)
        if numbers is not None:
            numbers.discard(number)
            if not numbers:
                del self._on_their_way[topic]

    def settled(self, topic: bytes) -> int:
        """Return the number up to which all messages are settled, 0 if there is none."""
        on_their_way = self._on_their_way.get(topic)
        return min(on_their_way) - 1 if on_their_way else self._latest.get(topic, 0)


class Watch:
    """The receiver's side, for one topic: what is missing, and what came before."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: OrderedDict[bytes, int] = OrderedDict()

    def missing(self, envelope: Envelope) -> int:
        """Return how many messages were lost before this one; -1 if it came before."""
        latest = self._latest.get(envelope.sender)
        if latest is not None and envelope.number <= latest:
            return -1
        self._latest[envelope.sender] = envelope.number
        self._latest.move_to_end(envelope.sender)
        if len(self._latest) > MAX_SENDERS:
            self._latest.popitem(last=False)
        if latest is None:
            return 0
        return envelope.number - latest - (envelope.kind == MESSAGE)
