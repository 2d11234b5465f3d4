"""How a transport carries the messages: which format it speaks, and what is around commands and pushes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.codec import Codec, check_commands
from channels.protocols.centrifuge.json_codec import JSON, decode_json
from channels.protocols.centrifuge.messages import (
    Command,
    Connect,
    ConnectRequest,
    ConnectResult,
    EmulationRequest,
    Push,
)
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.protocols.centrifuge.protobuf_messages import decode_message

SUBPROTOCOLS: Final[dict[str, Codec]] = {"centrifuge-json": JSON, "centrifuge-protobuf": PROTOBUF}
_PROTOBUF_QUERIES: Final = {("format", "protobuf"), ("cf_protocol", "protobuf")}
_PROTOBUF_TYPE: Final = "application/octet-stream"


class WebSocketFormat(NamedTuple):
    """What was agreed in the handshake of a WebSocket.

    Attributes:
        codec: the format of its messages.
        subprotocol: what the handshake is to be answered with; None, which most clients of JSON expect.
        frame_pings: a debugging tool asks for WebSocket's pings instead of the protocol's.
    """

    codec: Codec
    subprotocol: str | None
    frame_pings: bool


def negotiate(offered: Sequence[str], query: str = "") -> WebSocketFormat:
    """Choose the format of a WebSocket.

    Args:
        offered: the subprotocols of the client, in its order; the first one that is known counts. An empty
            one counts as none: centrifuge-python up to 0.5 sends that.
        query: the part of the URL behind the question mark; it chooses where no subprotocol does.
    """
    subprotocol = next((name for name in offered if name in SUBPROTOCOLS), None)
    parameters = set(parse_qsl(query))
    by_query = PROTOBUF if parameters & _PROTOBUF_QUERIES else JSON
    # The subprotocol for JSON is no more than the default: a query still says Protobuf.
    codec = PROTOBUF if subprotocol == "centrifuge-protobuf" else by_query
    return WebSocketFormat(codec, subprotocol, ("cf_ws_frame_ping_pong", "true") in parameters)


def codec_for(content_type: str) -> Codec:
    """The format of an HTTP request that opens a stream, or brings commands for one.

    Args:
        content_type: the value of the header; parameters behind a semicolon do not count.
    """
    return PROTOBUF if content_type.partition(";")[0].strip().lower() == _PROTOBUF_TYPE else JSON


def decode_emulation(body: bytes, content_type: str) -> EmulationRequest:
    """Read a request of the way up of an emulated transport.

    Returns:
        The request; its ``data`` is a frame as the session's codec reads it, also in JSON, where it comes
        as a string.

    Raises:
        ProtocolError: it is not one; answer with status 400.
    """
    if codec_for(content_type) is PROTOBUF:
        return decode_message(EmulationRequest, body)
    request = decode_json(EmulationRequest, body)
    if not request.data:
        return request
    frame = decode_json(str, bytes(request.data))
    return msgspec.structs.replace(request, data=Raw(frame.encode()))


def decode_uni_connect(data: bytes | str) -> ConnectRequest:
    """Read what a client of a unidirectional transport sends: a ConnectRequest in JSON, nothing around it.

    Raises:
        ProtocolError: it is not one.
    """
    request = decode_json(ConnectRequest, data)
    check_commands([Command(connect=request)])
    return request


def uni_connect(result: ConnectResult) -> Push:
    """The first push of a unidirectional transport, on which nobody answers pings.

    Its numbers in Protobuf are others than those of the result, and it knows nothing of dictionaries.
    """
    values = {name: getattr(result, name) for name in Connect.__struct_fields__ if name != "pong"}
    return Push(connect=Connect(**values))
