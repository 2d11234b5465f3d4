"""What an HTTP/2 engine does for us: frames become facts about streams, and what we say becomes frames.

The connection (:mod:`channels.protocols.http2.connection`) cuts the bytes into frames, counts floods, judges
fields and keeps what waits for a window. What is left to an engine is HPACK, the states of streams, and the
windows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from h2.settings import SettingCodes

from channels.protocols.events import Headers
from channels.protocols.http2.frames import RawFrame

DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1
#: Up to this many times the limit a header list is still decoded, to be answered 431.
DECODED = 4


@dataclass(frozen=True, slots=True)
class HTTP2Limits:
    """What one connection may make us hold, and how often it may bother us.

    Attributes:
        max_target: bytes of a request target; more is answered 414.
        max_header_bytes: bytes of the fields of a request, 32 added for each; more is answered 431, four
            times as many end the connection.
        max_headers: fields of a request; more is answered 431.
        max_streams: requests at the same time; more are refused, one by one.
        stream_window: bytes of one body that may be on their way before they were acknowledged.
        connection_window: bytes of all bodies together, 65535 or more.
        max_pending: bytes of one response that may wait for a peer that does not read. Who sends on
            without looking at ``writable`` loses the stream when they are exceeded.
        max_resets: streams that may end in RST_STREAM within one window of time (``start_window``).
        underscores: whether fields with an underscore in their names are told of.
        max_control_frames: frames without a request or a body within one window of time.
        max_small_data: DATA frames of less than 64 bytes within one window of time, on an average of ten;
            0 for no limit. The first few of each body, and those of WebSockets, do not count.

    Raises:
        ValueError: a window is out of range.
    """

    max_target: int = 8192
    max_header_bytes: int = 65_536
    max_headers: int = 100
    max_streams: int = 100
    stream_window: int = 262_144
    connection_window: int = 1_048_576
    max_pending: int = 1_048_576
    max_resets: int = 200
    max_control_frames: int = 1000
    underscores: bool = False
    max_small_data: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.stream_window <= MAX_WINDOW:
            raise ValueError(f"stream_window is 0 to 2**31 - 1, not {self.stream_window!r}.")
        if not DEFAULT_WINDOW <= self.connection_window <= MAX_WINDOW:
            raise ValueError(f"connection_window is 65535 to 2**31 - 1, not {self.connection_window!r}.")


def announced_settings(limits: HTTP2Limits) -> dict[SettingCodes, int]:
    """Return what a peer is told first (RFC 9113 6.5.2, RFC 8441)."""
    return {
        SettingCodes.MAX_CONCURRENT_STREAMS: limits.max_streams,
        SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window,
        SettingCodes.MAX_HEADER_LIST_SIZE: limits.max_header_bytes,
        SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
    }


def decoded_settings(value: bytes) -> bytes:
    """Decode HTTP2-Settings, the field of an upgrade, to the payload of a SETTINGS frame (RFC 7540 3.2.1).

    Raises:
        ValueError: it is none.
    """
    try:
        payload = base64.b64decode(value + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise unusable_settings(error) from None
    if len(payload) % 6:
        raise unusable_settings("not a list of settings")
    return payload


def unusable_settings(reason: object) -> ValueError:
    """Return the error for settings of an upgrade that an engine does not take."""
    return ValueError(f"HTTP2-Settings of an upgrade cannot be used: {reason}")


# What an engine tells of a frame


@dataclass(slots=True)
class FieldsReceived:
    """A request has begun; its fields are decoded and not judged. The list is not ours to change."""

    stream_id: int
    fields: Headers
    ended: bool


@dataclass(slots=True)
class TrailersReceived:
    """A request has ended with these fields behind its body."""

    stream_id: int
    fields: Headers


@dataclass(slots=True)
class DataReceived:
    """A part of a body; with its padding it took ``size`` bytes of the windows."""

    stream_id: int
    data: bytes
    size: int
    ended: bool


@dataclass(slots=True)
class StreamReset:
    """A stream is over: the peer said so, or the engine, because of what the peer did."""

    stream_id: int
    by_peer: bool


@dataclass(slots=True)
class WindowOpened:
    """More may be sent on some stream."""


@dataclass(slots=True)
class PingAnswered:
    """The answer to a ping of ours."""

    data: bytes


EngineEvent: TypeAlias = (
    FieldsReceived | TrailersReceived | DataReceived | StreamReset | WindowOpened | PingAnswered
)


class Engine(Protocol):
    """One connection's engine; it has announced what it takes when it is made."""

    @property
    def max_frame_size(self) -> int:
        """The largest payload that the peer takes, in bytes."""
        ...

    def receive_frame(self, frame: RawFrame) -> Sequence[EngineEvent]:
        """Take a frame of the peer.

        Raises:
            ConnectionFault: it breaks the rules of the connection.
        """
        ...

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        ...

    def window(self, stream_id: int) -> int:
        """How many bytes of a body the peer takes, as the connection's window and the stream's say."""
        ...

    def acknowledge(self, stream_id: int, amount: int) -> None:
        """Open the windows again by ``amount`` bytes that were read; a stream that is over has none."""
        ...

    def send_headers(self, stream_id: int, fields: Headers, *, end: bool) -> None:
        """Write fields: of an interim response, a response, or trailers."""
        ...

    def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        """Write a frame of a body, no longer than window and frame size allow."""
        ...

    def reset_stream(self, stream_id: int, code: int) -> None:
        """Break a stream off."""
        ...

    def ping(self, data: bytes) -> None:
        """Ask the peer to answer with the same eight bytes."""
        ...
