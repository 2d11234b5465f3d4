"""The ``h2`` engine: proven, in pure Python, one setting away."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack.exceptions import HPACKError

from channels.protocols.events import Headers
from channels.protocols.http2.engine import (
    DECODED,
    DEFAULT_WINDOW,
    DataReceived,
    EngineEvent,
    FieldsReceived,
    HTTP2Limits,
    PingAnswered,
    StreamReset,
    TrailersReceived,
    WindowOpened,
    announced_settings,
    decoded_settings,
    unusable_settings,
)
from channels.protocols.http2.frames import ACK, GOAWAY_SIZE, SETTINGS, ConnectionFault, RawFrame
from channels.protocols.http2.hpack.encoder import FieldEncoder

# Fields are judged in channels.protocols.http2.semantics.
_configuration = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


class H2Engine:
    """See :class:`channels.protocols.http2.engine.Engine`.

    Args:
        limits: what a peer may make us hold.
        upgrade_settings: the value of HTTP2-Settings, if the connection was upgraded from HTTP/1.1.

    Raises:
        ValueError: these are no settings.
    """

    __slots__ = ("_h2", "_output")

    def __init__(self, limits: HTTP2Limits, upgrade_settings: bytes | None = None) -> None:
        self._h2 = engine = H2Connection(_configuration)
        self._output = b""
        engine.local_settings = _settings(limits, limits.max_streams)
        engine.encoder = FieldEncoder()
        engine.decoder.max_header_list_size = DECODED * limits.max_header_bytes
        if upgrade_settings is None:
            engine.initiate_connection()
        else:
            _upgrade(engine, upgrade_settings)
        # Where there are too many streams h2 would end the connection. A peer may not have read yet how many
        # we take: the connection refuses single ones, and h2 never sees its own limit.
        engine.local_settings = _settings(limits, 2 * limits.max_streams)
        if limits.connection_window > DEFAULT_WINDOW:
            engine.increment_flow_control_window(limits.connection_window - DEFAULT_WINDOW)

    @property
    def max_frame_size(self) -> int:
        """The largest payload that the peer takes, in bytes."""
        return self._h2.max_outbound_frame_size

    def receive_frame(self, frame: RawFrame) -> Sequence[EngineEvent]:
        """Take a frame of the peer."""
        try:
            events = self._h2.receive_data(frame.data)
        except ProtocolError as error:
            # h2 has written a GOAWAY; we say it ourselves, with the code that the standard asks for.
            self._output += self._h2.data_to_send()[:-GOAWAY_SIZE]
            raise _fault_of(error, frame) from None
        return [_EVENTS[type(event)](event) for event in events if type(event) in _EVENTS]

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        data, self._output = self._output + self._h2.data_to_send(), b""
        return data

    def window(self, stream_id: int) -> int:
        """How many bytes of a body the peer takes."""
        return self._h2.local_flow_control_window(stream_id)

    def acknowledge(self, stream_id: int, amount: int) -> None:
        """Open the windows again."""
        self._h2.acknowledge_received_data(amount, stream_id)

    def send_headers(self, stream_id: int, fields: Headers, *, end: bool) -> None:
        """Write fields."""
        self._h2.send_headers(stream_id, fields, end_stream=end)

    def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        """Write a frame of a body."""
        self._h2.send_data(stream_id, data, end_stream=end)

    def reset_stream(self, stream_id: int, code: int) -> None:
        """Break a stream off."""
        self._h2.reset_stream(stream_id, code)

    def ping(self, data: bytes) -> None:
        """Ask the peer to answer."""
        self._h2.ping(data)


def _settings(limits: HTTP2Limits, max_streams: int) -> Settings:
    values = announced_settings(limits) | {SettingCodes.MAX_CONCURRENT_STREAMS: max_streams}
    return Settings(client=False, initial_values=values)


def _upgrade(engine: H2Connection, settings: bytes) -> None:
    decoded = decoded_settings(settings)
    try:
        engine.initiate_upgrade_connection(base64.urlsafe_b64encode(decoded))
    except ProtocolError as error:
        raise unusable_settings(error) from None


def _fault_of(error: ProtocolError, frame: RawFrame) -> ConnectionFault:
    code: int = error.error_code
    if type(error) is ProtocolError and isinstance(error.__cause__, HPACKError):
        code = ErrorCodes.COMPRESSION_ERROR  # RFC 9113 4.3; h2 says PROTOCOL_ERROR
    elif frame.kind == SETTINGS and frame.flags & ACK and frame.payload:
        code = ErrorCodes.FRAME_SIZE_ERROR  # 6.5; likewise
    return ConnectionFault(code, f"a frame breaks the rules of HTTP/2: {type(error).__name__}")


# The end of a request is told with its last frame; h2 tells it as an event of its own as well.
_EVENTS: dict[type, Callable[[Any], EngineEvent]] = {
    h2_events.RequestReceived: lambda event: FieldsReceived(
        event.stream_id, event.headers or [], event.stream_ended is not None
    ),
    h2_events.TrailersReceived: lambda event: TrailersReceived(event.stream_id, event.headers or []),
    h2_events.DataReceived: lambda event: DataReceived(
        event.stream_id,
        event.data or b"",
        event.flow_controlled_length or 0,
        event.stream_ended is not None,
    ),
    h2_events.StreamReset: lambda event: StreamReset(event.stream_id, event.remote_reset),
    h2_events.WindowUpdated: lambda event: WindowOpened(),
    h2_events.RemoteSettingsChanged: lambda event: WindowOpened(),
    h2_events.PingAckReceived: lambda event: PingAnswered(event.ping_data or b""),
}
