"""What travels on a topic: who sent it, its number, for whom, and the message.

Publish/subscribe keeps nothing for a receiver that is cut off. Each sender therefore
numbers what it publishes on a topic, and each receiver watches the numbers (``gaps.py``): one that
is missing is a message to ask for or that was lost, one that comes again was sent twice by a retry.

A *mark* is an envelope without a message. It tells the number a sender has reached and how long
ago it began to send on the topic, so that a receiver that was cut off learns of messages it
missed at the end, and at the beginning of a sender it had not heard of, as well.
"""

from __future__ import annotations

import itertools
import os
import struct
import time
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

#: Version and kind, sender, number, length of the channel name that follows.
HEAD: Final = struct.Struct(">B8sQB")
AGE: Final = struct.Struct(">d")
MESSAGE: Final = 0x11
MARK: Final = 0x12
#: A signal of the layer itself, JSON; in an envelope only if that is authenticated.
CONTROL: Final = 0x13
#: What a process answers to one that asks for messages it has missed.
REPAIR: Final = 0x14
KINDS: Final = frozenset((MESSAGE, MARK, CONTROL, REPAIR))

#: Topics a sender numbers before it begins anew under another name.
MAX_TOPICS: Final = 10_000
#: Begins the name of a sender whose process answers for what it has sent; the process' token follows.
ASKABLE: Final = b"\xf5\x1d"
#: Bytes of a process' token.
TOKEN_SIZE: Final = 4


class Envelope(NamedTuple):
    """One thing that came in on a topic.

    Attributes:
        kind: MESSAGE, MARK, CONTROL or REPAIR.
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
    if kind not in KINDS or len(data) < body:
        return None
    channel = data[HEAD.size : body].decode("ascii", "replace") if length else ""
    return Envelope(kind, sender, number, channel, data[body:])


class SenderNames:
    """Names the senders of one process: loops and threads.

    Attributes:
        token: names the process to those who ask it.
        askable: whether it listens to them now.
    """

    def __init__(self) -> None:
        self.token = os.urandom(TOKEN_SIZE)
        self.askable = False
        self._count = itertools.count(int.from_bytes(os.urandom(2)))

    def new(self) -> bytes:
        """Return 8 bytes that no other sender has."""
        if self.askable:
            return ASKABLE + self.token + (next(self._count) & 0xFFFF).to_bytes(2)
        name = os.urandom(8)
        return b"\0" + name[1:] if name.startswith(ASKABLE) else name


def token_of(sender: bytes) -> bytes | None:
    """Return the token of the process that can be asked what ``sender`` has sent, or None if none can."""
    return sender[2 : 2 + TOKEN_SIZE] if sender.startswith(ASKABLE) else None


class Outgoing:
    """What one sender has sent on one topic.

    Attributes:
        began: when it sent the first message, in seconds of its clock.
        latest: the number of its latest message.
        on_their_way: numbers whose fate is open.
    """

    __slots__ = ("began", "latest", "on_their_way")

    def __init__(self, began: float) -> None:
        self.began = began
        self.latest = 0
        self.on_their_way: set[int] = set()

    @property
    def settled(self) -> int:
        """The number up to which no message will be sent again; from any thread."""
        on_their_way = tuple(self.on_their_way)
        return min(on_their_way) - 1 if on_their_way else self.latest


class SequenceNumbers:
    """The sender's side: the latest number on each topic, and which are on their way.

    Args:
        clock: seconds, monotonic.
        names: gives the sender its name, and another when it becomes known whether its process can be asked.

    Attributes:
        sender: its name.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, names: SenderNames | None = None) -> None:
        self._clock = clock
        self._names = names or SenderNames()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._askable = self._names.askable
        self.sender = self._names.new()
        self._topics: dict[bytes, Outgoing] = {}

    def __len__(self) -> int:
        """Count the topics."""
        return len(self._topics)

    @property
    def idle(self) -> bool:
        """Whether the fate of everything that was sent is known."""
        return not any(outgoing.on_their_way for outgoing in self._topics.values())

    def among(self, topics: Collection[bytes]) -> list[bytes]:
        """Return those of ``topics`` that have been sent on; from any thread."""
        return [topic for topic in tuple(self._topics) if topic in topics]

    def next(self, topic: bytes) -> int:
        """Return the number of the next message on ``topic``, from 1; call ``settle`` afterwards."""
        if self._askable is not self._names.askable:
            self._begin_anew()
        outgoing = self._topics.get(topic) or self._begin(topic)
        outgoing.latest = number = outgoing.latest + 1
        outgoing.on_their_way.add(number)
        return number

    def _begin(self, topic: bytes) -> Outgoing:
        if len(self._topics) >= MAX_TOPICS:
            self._begin_anew()
        outgoing = self._topics[topic] = Outgoing(self._clock())
        return outgoing

    def settle(self, topic: bytes, number: int) -> None:
        """Note that message ``number`` will not be sent again."""
        outgoing = self._topics.get(topic)
        if outgoing is not None:
            outgoing.on_their_way.discard(number)

    def settled(self, topic: bytes) -> int:
        """Return the number up to which all messages are settled, 0 if there is none."""
        outgoing = self._topics.get(topic)
        return 0 if outgoing is None else outgoing.settled

    def age(self, topic: bytes) -> float:
        """Return the seconds since the first message on ``topic``."""
        outgoing = self._topics.get(topic)
        return 0.0 if outgoing is None else max(0.0, self._clock() - outgoing.began)

    def mark(self, topic: bytes) -> Envelope:
        """Return a mark for ``topic``."""
        return Envelope(MARK, self.sender, self.settled(topic), "", AGE.pack(self.age(topic)))
