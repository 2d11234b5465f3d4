"""How the ``h2`` engine is set up: what we announce to a peer, and what we take from it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from channels.protocols.http2_encoder import FieldEncoder

_DEFAULT_WINDOW = 65_535
_MAX_WINDOW = 2**31 - 1
# Up to this many times the limit a header list is still decoded, to be answered 431.
_DECODED = 4


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
        max_control_frames: frames without a request or a body within one window of time.

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

    def __post_init__(self) -> None:
        if not 0 <= self.stream_window <= _MAX_WINDOW:
            raise ValueError(f"stream_window is 0 to 2**31 - 1, not {self.stream_window!r}.")
        if not _DEFAULT_WINDOW <= self.connection_window <= _MAX_WINDOW:
            raise ValueError(f"connection_window is 65535 to 2**31 - 1, not {self.connection_window!r}.")


def new_engine(limits: HTTP2Limits, upgrade_settings: bytes | None = None) -> H2Connection:
    """Make an engine that has announced what it takes.

    Args:
        limits: what a peer may make us hold.
        upgrade_settings: the value of HTTP2-Settings, if the connection was upgraded from HTTP/1.1.

    Raises:
        ValueError: these are no settings.
    """
    engine = H2Connection(_configuration)
    engine.local_settings = _settings(limits, limits.max_streams)
    engine.encoder = FieldEncoder()
    engine.decoder.max_header_list_size = _DECODED * limits.max_header_bytes
    if upgrade_settings is None:
        engine.initiate_connection()
    else:
        _upgrade(engine, upgrade_settings)
    # Where there are too many streams the engine would end the connection. A peer may not have read yet
    # how many we take: the connection refuses single ones, and the engine never sees its own limit.
    engine.local_settings = _settings(limits, 2 * limits.max_streams)
    if limits.connection_window > _DEFAULT_WINDOW:
        engine.increment_flow_control_window(limits.connection_window - _DEFAULT_WINDOW)
    return engine


# Fields are judged in http2_headers.
_configuration = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


def _settings(limits: HTTP2Limits, max_streams: int) -> Settings:
    return Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
            SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.max_header_bytes,
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
        },
    )


def _upgrade(engine: H2Connection, settings: bytes) -> None:
    try:
        decoded = base64.b64decode(settings + b"=" * (-len(settings) % 4), altchars=b"-_", validate=True)
        if len(decoded) % 6:
            raise ValueError("not a list of settings")
        engine.initiate_upgrade_connection(base64.urlsafe_b64encode(decoded))
    except (ProtocolError, binascii.Error, ValueError) as error:
        raise ValueError(f"HTTP2-Settings of an upgrade cannot be used: {error}") from None
