"""What is wrong with a frame can mostly be told from the frame alone (RFC 9113 section 6). Pure functions."""

from __future__ import annotations

from h2.errors import ErrorCodes

from channels.protocols.events import Headers
from channels.protocols.http2.engine import MAX_WINDOW
from channels.protocols.http2.frames import ConnectionFault, RawFrame

_PADDED = 0x8


def unpadded(frame: RawFrame, payload: bytes) -> bytes:
    """Take the padding off (RFC 9113 6.1); the fields of a priority stay.

    Raises:
        ConnectionFault: there is more of it than there is frame.
    """
    if not frame.flags & _PADDED:
        return payload
    if not payload:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a padded frame without its length")
    if payload[0] >= len(payload):
        raise violation("more padding than there is frame")
    return payload[1 : len(payload) - payload[0]]


def check_priority(stream_id: int, payload: bytes) -> None:
    """Check a priority (RFC 9113 6.3, RFC 7540 5.3.1), of which the server makes no use.

    Raises:
        ConnectionFault: they are too short, or the stream depends on itself.
    """
    if len(payload) < 5:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a priority that is too short")
    if int.from_bytes(payload[:4], "big") & MAX_WINDOW == stream_id:
        raise violation("a stream that depends on itself")


def check_size(frame: RawFrame, size: int) -> None:
    """Refuse a frame of another size.

    Raises:
        ConnectionFault: it has not ``size`` bytes behind its head.
    """
    if len(frame.payload) != size:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, f"a frame that should have {size} bytes")


def check_connection(frame: RawFrame) -> None:
    """Refuse a frame on a stream that speaks of the connection.

    Raises:
        ConnectionFault: it names a stream.
    """
    if frame.stream_id:
        raise violation("a frame of the connection on a stream")


def content_length(fields: Headers) -> int | None:
    """Return what a request says of the size of its body; None if it says nothing that is a number."""
    for name, value in fields:
        if name == b"content-length" and value.isdigit():
            return int(value[:19])
    return None


def window_fault(increment: int) -> ConnectionFault:
    """Return what is wrong with an update that opens a window by too much, or by nothing."""
    if increment:
        return ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
    return violation("a window that opens by nothing")


def violation(reason: str) -> ConnectionFault:
    """Return the error of a connection whose peer broke a rule (PROTOCOL_ERROR)."""
    return ConnectionFault(ErrorCodes.PROTOCOL_ERROR, reason)
