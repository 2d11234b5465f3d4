"""What travels on a topic: who sent it, its number, for whom, and the message.

Publish/subscribe keeps nothing for a receiver that is cut off. Each sender therefore
numbers what it publishes on a topic, and each receiver watches the numbers: one that is
missing is a message that was lost, one that comes again was sent twice by a retry.

A *mark* is an envelope without a message. It tells the number a sender has reached and how long
ago it began to send on the topic, so that a receiver that was cut off learns of messages it
missed at the end, and at the beginning of a sender it had not heard of, as well.
"""

from __future__ import annotations

import os
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

#: Version and kind, sender, number, length of the channel name that follows.
HEAD: Final = struct.Struct(">B8sQB")
AGE: Final = struct.Struct(">d")
MESSAGE: Final = 0x11
MARK: Final = 0x12
#: A signal of the layer itself, JSON; in an envelope only if that is authenticated.
CONTROL: Final = 0x13

#: Topics a sender numbers before it begins anew under another name.
MAX_TOPICS: Final = 10_000
#: Senders a receiver remembers per topic; the one that was silent for longest is forgotten.
MAX_SENDERS: Final = 256


class Envelope(NamedTuple):
    """One thing that came in on a topic.

    Attributes:
        kind: MESSAGE, MARK or CONTROL.
        sender: whose numbers these are.
        number: of this message, or with a mark the one reached.
        channel: the channel it is meant for; empty for a group.
        body: the serialized message; of a mark, the seconds since the sender's first message.
    """

    kind: int
    sender: bytes
    number: int
    channel: str
    body: bytes


def encode_envelope(kind: int, sender: bytes, number: int, channel: str, body: bytes) -> bytes:
    """Return the envelope as bytes; a channel name is ASCII and shorter than 256."""
    name = channel.encode()
    return HEAD.pack(kind, sender, number, len(name)) + name + body


def unseal(data: bytes) -> Envelope | None:
    """Return the envelope, or None if these bytes are none of ours."""
    if len(data) < HEAD.size:
        return None
    kind, sender, number, length = HEAD.unpack_from(data)
    body = HEAD.size + length
    if kind not in (MESSAGE, MARK, CONTROL) or len(data) < body:
        return None
    return Envelope(kind, sender, number, data[HEAD.size : body].decode("ascii", "replace"), data[body:])


class SequenceNumbers:
    """The sender's side: the latest number on each topic, and which are on their way.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.sender = os.urandom(8)
        self._clock = clock
        self._latest: dict[bytes, int] = {}
        self._began: dict[bytes, float] = {}
        self._on_their_way: dict[bytes, set[int]] = {}

    def __len__(self) -> int:
        """Count the topics."""
        return len(self._latest)

    def among(self, topics: Collection[bytes]) -> list[bytes]:
        """Return those of ``topics`` that have been sent on; from any thread."""
        return [topic for topic in tuple(self._latest) if topic in topics]

    def next(self, topic: bytes) -> int:
        """Return the number of the next message on ``topic``, from 1; call ``settle`` afterwards."""
        number = self._latest.get(topic, 0) + 1
        if number == 1:
            self._begin(topic)
        self._latest[topic] = number
        self._on_their_way.setdefault(topic, set()).add(number)
        return number

    def _begin(self, topic: bytes) -> None:
        if len(self._latest) >= MAX_TOPICS:
            self.sender = os.urandom(8)
            for known in (self._latest, self._began, self._on_their_way):
                known.clear()
        self._began[topic] = self._clock()

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

    def mark(self, topic: bytes) -> Envelope:
        """Return a mark for ``topic``."""
        age = AGE.pack(max(0.0, self._clock() - self._began.get(topic, self._clock())))
        return Envelope(MARK, self.sender, self.settled(topic), "", age)


class GapDetector:
    """The receiver's side, for one topic: what is missing, and what came before.

    Args:
        clock: seconds, monotonic.
    """

    __slots__ = ("_began", "_clock", "_latest")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        #: By sender: its latest number, and how many it had sent before the first that was seen.
        self._latest: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def missing(self, envelope: Envelope) -> int:
        """Return how many messages were lost before this one; -1 if it came before."""
        latest, unseen = self._latest.get(envelope.sender, (0, -1))
        if envelope.kind == MARK:
            return self._missing_at_mark(envelope, latest, unseen)
        if envelope.number <= latest:
            return -1
        first_seen = unseen < 0
        self._note(envelope, envelope.number - 1 if first_seen else unseen)
        return 0 if first_seen else envelope.number - latest - 1

    def _missing_at_mark(self, envelope: Envelope, latest: int, unseen: int) -> int:
        """A mark says how old the sender is: of one younger than this watch nothing was sent before it."""
        missing = max(0, envelope.number - latest)
        if unseen < 0:
            unseen, missing = missing, 0
        if len(envelope.body) == AGE.size and AGE.unpack(envelope.body)[0] < self._clock() - self._began:
            missing, unseen = missing + unseen, 0
        self._note(envelope._replace(number=max(latest, envelope.number)), unseen)
        return missing

    def _note(self, envelope: Envelope, unseen: int) -> None:
        self._latest[envelope.sender] = (envelope.number, unseen)
        self._latest.move_to_end(envelope.sender)
        if len(self._latest) > MAX_SENDERS:
            self._latest.popitem(last=False)
