"""What an application would see of some bytes, told by either HTTP/1.1 engine: the thing that is compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from channels.protocols.events import BodyReceived, ProtocolViolated, RequestReceived
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake
from channels.protocols.http1.connection import HTTP1Connection, HTTP1Limits

SMALL = HTTP1Limits(max_target=40, max_header_bytes=300, max_headers=8)


def told(
    engine: str, pieces: Iterable[bytes], limits: HTTP1Limits = SMALL, *, known: bool = False
) -> list[Any]:
    """All that a connection tells about some bytes and the end after them, answering each request.

    Args:
        engine: "zttp" or "h11".
        pieces: the bytes as they arrive.
        limits: what the connection holds.
        known: offer each piece as the server does, to the blocks that were read before.

    Returns:
        The events; for each violation its status, for each answered request whether the connection lives on,
        and at the end what no event told of.
    """
    connection = HTTP1Connection(limits, engine=engine)
    events: list[Any] = []
    for piece in (*pieces, b""):
        found = connection.receive_known(piece) if known and piece else None
        if found is None:
            connection.receive_data(piece)
        else:
            events.append(found)
        _take_all(connection, events)
    return [*joined(events), connection.keep_alive, connection.trailing_data()]


def _take_all(connection: HTTP1Connection, events: list[Any]) -> None:
    while True:
        while (event := connection.next_event()) is not None:
            events.append(event)
        if not connection.request_ended or connection.response_ended:
            return
        connection.send_response(204, [])
        connection.end_message()
        events.append(connection.keep_alive)
        if not connection.keep_alive:
            return
        connection.start_next_cycle()


def joined(events: list[Any]) -> list[Any]:
    """Neighbouring parts of a body as one, and violations without their wording."""
    result: list[Any] = []
    for event in events:
        if isinstance(event, BodyReceived) and result and isinstance(result[-1], BodyReceived):
            result[-1] = BodyReceived(event.stream_id, result[-1].data + event.data)
        elif isinstance(event, ProtocolViolated):
            result.append(event.status)
        else:
            if isinstance(event, RequestReceived):  # h11 lowercases the value of this field
                event.headers = [(n, v.lower() if n == b"transfer-encoding" else v) for n, v in event.headers]
                event.handshake = _handshake(event)
            result.append(event)
    return result


def _handshake(event: RequestReceived) -> Any:
    """What an upgrade to WebSocket asks for: known blocks bring it along, others are read for it later."""
    if event.upgrade != b"websocket":
        return event.handshake
    try:
        return event.handshake or accept_handshake(event)
    except HandshakeRejected as error:
        return str(error)
