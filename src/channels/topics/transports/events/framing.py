"""Publications as events of an event stream (the WHATWG's HTML standard, 9.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from channels.protocols.centrifuge.codec import Codec
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Push, Reply
from channels.topics.delivery.frames import Frame
from channels.topics.delivery.hub import running_hub
from channels.topics.transports.events.positions import position_text

#: The tag by which a publication names its event.
EVENT_TAG: Final = "event"
#: A line of its own for clients that ignore it, so that proxies and they see that the stream lives.
KEEP_ALIVE: Final = b": keep-alive\n\n"
_encode: Final = msgspec.json.Encoder().encode
#: What would end a line of a name or an id, or is not allowed in it.
_CONTROLS: Final = re.compile(r"[\x00\r\n]")


def event_block(data: bytes | None, event: str = "", identifier: str = "", retry: int = 0) -> bytes:
    """Return one event.

    Args:
        data: of the event, in UTF-8, on any number of lines; None: the event only moves the position.
        event: its name; "" for the usual one, "message".
        identifier: where the stream is with it; "" leaves that as it is.
        retry: milliseconds that clients wait before they come back; 0 leaves that as it is.
    """
    head = [b"retry: %d\n" % retry] if retry else []
    if identifier:
        head.append(f"id: {identifier}\n".encode())
    if event:
        head.append(f"event: {_CONTROLS.sub(' ', event)}\n".encode())
    return b"".join([*head, b"" if data is None else data_lines(data), b"\n"])


def data_lines(data: bytes) -> bytes:
    """Return data, on any number of lines, as an event has them."""
    return b"".join(b"data: " + line + b"\n" for line in data.splitlines() or [b""])


def blocks(data: bytes) -> list[bytes]:
    """Return events that stand one behind the other: each ends with the only empty line that it has."""
    return [block + b"\n\n" for block in data.split(b"\n\n") if block]


def with_identifier(block: bytes, identifier: str) -> bytes:
    """Return an event with another id in the place of the one that it has."""
    _, _, rest = block.partition(b"\n")
    return f"id: {identifier}\n".encode() + rest if block.startswith(b"id: ") else block


class EventFraming(NamedTuple):
    """How publications of topics with one name of events are written: the same bytes for all their streams.

    Attributes:
        event: the name, unless a publication has its own; "" for none.
        whole: the data are the publication in JSON, for whoever renders it.
    """

    event: str = ""
    whole: bool = False

    @property
    def codec(self) -> Codec:
        """The format of what is published."""
        return JSON

    def encode_push(self, push: Push) -> bytes:
        """Return a publication as an event; nothing for what is none."""
        if push.pub is None:
            return b""
        data = _encode(push.pub) if self.whole else bytes(push.pub.data)
        return event_block(data, push.pub.tags.get(EVENT_TAG, self.event), identifier_of(push))

    def encode_reply(self, reply: Reply) -> bytes:
        """Return nothing: there are no commands that would be answered."""
        return b""

    def encode_ping(self) -> bytes:
        """Return what keeps the stream alive, and is no event."""
        return KEEP_ALIVE

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return Frame(b"".join(messages), binary=True, messages=messages)


def split_whole(block: bytes) -> tuple[bytes, bytes]:
    """Return an event whose data are a whole publication as the lines before these, and the publication."""
    head, end, line = block[:-2].rpartition(b"\n")
    return head + end, line.removeprefix(b"data: ")


def identifier_of(push: Push) -> str:
    """Return the id of a publication: where the stream of its topic is with it; "" without a history."""
    assert push.pub is not None  # whoever asks has seen it
    live = running_hub().find(push.channel)
    if not push.pub.offset or live is None or live.position is None:
        return ""
    return position_text(live.position._replace(offset=push.pub.offset))
