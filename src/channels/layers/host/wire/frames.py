"""What the processes of one machine say to each other through the broker.

A connection begins with :data:`PREAMBLE` from both sides: three letters and the version of
this protocol. Then come frames: four bytes of length, and a msgpack array whose first item
says which of the classes below it is. Messages travel inside as bytes that only their
senders and receivers look into.

Frames from a process to the broker carry a number that rises by one or more. It answers two
questions after a broker has died: which frames the next broker must be told again (those without
an answer), and which messages a receiver has seen already (those up to the last number it
saw from that sender).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from channels.exceptions import ChannelsError

VERSION: Final = 1
PREAMBLE: Final = b"FWH" + bytes([VERSION])

#: Room for names and numbers around a message, in bytes.
OVERHEAD: Final = 4096
#: Bytes of any frame: memberships are announced in one, this is room for some 600,000 groups.
MAX_FRAME: Final = 64 * 1024 * 1024

#: A feature that a process of an earlier release lacks: it says which of its channels are in a group.
GROUP_MEMBERS: Final = "group-members"

#: A named channel that a process has added to a group: group, channel, capacity, expiry in seconds.
NamedSubscription: TypeAlias = tuple[str, str, int, float]

#: The number of a frame that was not written yet.
UNSENT: Final = 0

_LENGTH: Final = struct.Struct(">I")


class WireError(ChannelsError):
    """The other side does not speak this protocol, or not this version of it."""


class Frame(msgspec.Struct, array_like=True):
    """Base of all frames."""


class Numbered(Frame):
    """Base of the frames that get their number when they are written; until then it is :data:`UNSENT`."""

    number: int


class Hello(Frame, tag=1):
    """A process introduces itself, with all it wants from the broker.

    ``groups`` are those a broker has confirmed before; ``named`` the named channels that it
    has added to groups; ``held`` the keys of named messages it has taken and not
    settled; ``features`` what it can do beside what every release of this version does.
    """

    process: str
    pid: int
    groups: list[str]
    named: list[NamedSubscription]
    held: list[str]
    features: list[str] = []


class Publish(Numbered, tag=2):
    """A message for a group."""

    group: str
    payload: bytes


class Direct(Numbered, tag=3):
    """A message for a channel of one process."""

    process: str
    channel: str
    payload: bytes


class Subscribe(Numbered, tag=4):
    """The process has members in ``group`` from now on; answered."""

    group: str


class Unsubscribe(Numbered, tag=5):
    """It has none any more."""

    group: str


class Enqueue(Numbered, tag=6):
    """A message for a named channel, kept until ``expires`` (seconds since 1970); answered."""

    channel: str
    capacity: int
    expires: float
    payload: bytes


class Dequeue(Numbered, tag=7):
    """Wants the next message of a named channel; answered with :class:`Delivered`."""

    channel: str


class Cancel(Numbered, tag=8):
    """Does not want it any more: the number of the :class:`Dequeue`."""

    take: int


class Ack(Numbered, tag=9):
    """A taken message is done with, or (``done`` false) goes back to the front of its channel."""

    key: str
    done: bool


class GroupChange(Numbered, tag=10):
    """A channel of another process (``process``), or a named one (empty), joins or leaves; answered."""

    group: str
    channel: str
    process: str
    joins: bool
    capacity: int
    expiry: float


class Flush(Numbered, tag=11):
    """Forget everything, in all processes; answered."""


class Bye(Numbered, tag=12):
    """The process leaves and needs nothing that is still on its way."""


class Ping(Numbered, tag=13):
    """Answered, and nothing else: then the broker knows this process."""


class GroupQuery(Numbered, tag=14):
    """Wants to know the channels of a group in other processes; answered with :class:`GroupQueryResult`."""

    group: str
    seconds: float


class GroupQueryReply(Frame, tag=15):
    """The answer to :class:`GroupQueryRequest`."""

    token: int
    channels: list[str]


class Welcome(Frame, tag=20):
    """The broker's answer to :class:`Hello`: who carries it, what was lost while cut off, what it can do."""

    pid: int
    lost: int
    features: list[str] = []


class Accepted(Frame, tag=21):
    """Every unanswered frame up to ``number`` has been passed on."""

    number: int


class Answer(Frame, tag=22):
    """The answer to frame ``number``.

    ``seen`` are the last numbers of senders whose messages may come again: those up to them
    were for others.
    """

    number: int
    error: str
    seen: dict[str, int]


class Delivered(Frame, tag=23):
    """A message of a named channel for frame ``number``, to be settled under ``key``."""

    number: int
    key: str
    payload: bytes


class Published(Frame, tag=24):
    """A message for a group, from process ``sender``."""

    sender: str
    number: int
    group: str
    payload: bytes


class Directed(Frame, tag=25):
    """A message for a channel of the receiving process."""

    sender: str
    number: int
    channel: str
    payload: bytes


class GroupChangeRequest(Frame, tag=26):
    """Another process adds a channel of the receiving process to a group, or takes it out."""

    token: int
    group: str
    channel: str
    joins: bool


class GroupChangeDone(Frame, tag=27):
    """The answer to :class:`GroupChangeRequest`."""

    token: int


class Flushed(Frame, tag=28):
    """Another process has flushed the layer."""


class Dropped(Frame, tag=29):
    """Messages of the receiving process that the broker could not deliver."""

    reason: str
    amount: int


class GroupQueryRequest(Frame, tag=30):
    """Another process wants to know which channels the receiving process has in a group."""

    token: int
    group: str


class GroupQueryResult(Frame, tag=31):
    """The answer to :class:`GroupQuery`: channels, and how many processes have not answered."""

    number: int
    channels: list[str]
    unanswered: int


ToBroker: TypeAlias = (
    Hello
    | Publish
    | Direct
    | Subscribe
    | Unsubscribe
    | Enqueue
    | Dequeue
    | Cancel
    | Ack
    | GroupChange
    | GroupChangeDone
    | Flush
    | Ping
    | Bye
    | GroupQuery
    | GroupQueryReply
)
ToProcess: TypeAlias = (
    Welcome
    | Accepted
    | Answer
    | Delivered
    | Published
    | Directed
    | GroupChangeRequest
    | Flushed
    | Dropped
    | GroupQueryRequest
    | GroupQueryResult
)
AnyFrame: TypeAlias = ToBroker | ToProcess

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[AnyFrame]] = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: Frame) -> bytes:
    """Return ``frame`` as it travels, its length in front."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


def carries_message(data: bytes | memoryview) -> bool:
    """Whether an encoded frame on its way to a process holds a message that somebody would miss."""
    return isinstance(_decoder.decode(data[_LENGTH.size :]), Published | Directed)


class FrameReader:
    """Bytes in, frames out, for one connection.

    Args:
        limit: bytes a frame may have; more than that is a WireError.
    """

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._greeted = False

    def receive_data(self, data: bytes) -> Iterator[AnyFrame]:
        """Yield the frames that are complete with ``data``.

        Raises:
            WireError: the other side speaks another version, or something else.
        """
        buffer, start = self._buffer, 0
        buffer += data
        if not self._greeted:
            if len(buffer) < len(PREAMBLE):
                return
            require_preamble(bytes(buffer[: len(PREAMBLE)]))
            self._greeted, start = True, len(PREAMBLE)
        try:
            while (body := start + _LENGTH.size) <= len(buffer):
                length = _LENGTH.unpack_from(buffer, start)[0]
                if length > self._limit:
                    raise WireError(f"A frame of {length} bytes is over the limit of {self._limit} bytes.")
                end = body + length
                if end > len(buffer):
                    break
                with memoryview(buffer) as view, view[body:end] as frame:
                    decoded = _decoder.decode(frame)
                start = end
                yield decoded
        except msgspec.MsgspecError as error:
            raise WireError(f"A frame of {length} bytes cannot be read: {error}.") from error
        finally:
            del buffer[:start]


def require_preamble(data: bytes) -> None:
    """Raise WireError, in words for people, unless ``data`` is our preamble."""
    if data == PREAMBLE:
        return
    if data[:3] == PREAMBLE[:3]:
        raise WireError(
            f"The other process speaks version {data[3]} of the host layer, this one version {VERSION}: "
            "the processes of the project run different releases of Fairway. Restart all of them."
        )
    raise WireError(f"The other process does not speak the host layer's protocol (it began with {data!r}).")
