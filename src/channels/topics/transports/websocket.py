"""A session over a WebSocket, on any ASGI server; past the application where ours allows it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from channels import telemetry
from channels.mailbox import direct_write, pushing_receive
from channels.protocols.centrifuge.json_codec import JSON
from channels.sync.context import enter_context, exit_context
from channels.topics.delivery.frames import Frame, Framing, MessageFraming
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.limits import limits
from channels.topics.session.commands import handle_frame
from channels.topics.session.session import Session
from channels.typing import Receive, Scope, Send

#: The formats, by the subprotocol that asks for one.
_FRAMINGS: Final[dict[str, Framing]] = {"centrifuge-json": MessageFraming(JSON)}
_TOO_BIG: Final = 1009


async def serve_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client: the ASGI application behind ``/connection/websocket``."""
    await receive()  # websocket.connect
    framing, subprotocol = chosen_format(scope)
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    connection = enter_context(scope)
    session = _new_session(scope, receive, send, framing)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            frame = message.get("text") or message.get("bytes") or ""
            if len(frame) > session.limits.max_message_size:
                session.disconnect(_TOO_BIG, "message size limit")
            elif not session.closed:
                await handle_frame(session, frame)
    finally:
        session.lost()
        exit_context(connection)


def chosen_format(scope: Scope) -> tuple[Framing, str | None]:
    """Return the format that a client speaks and the subprotocol to select; no subprotocol means JSON.

    A query may choose too: ``format=protobuf`` or ``cf_protocol=protobuf``.
    """
    for subprotocol in scope.get("subprotocols", ()):
        if subprotocol in _FRAMINGS:
            return _FRAMINGS[subprotocol], subprotocol
    query = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
    asked = (query.get("format") or query.get("cf_protocol") or ["json"])[0]
    return _FRAMINGS.get(f"centrifuge-{asked}", _FRAMINGS["centrifuge-json"]), None


class WebSocketTransport:
    """What a session needs of a WebSocket.

    Args:
        send: of the ASGI application.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    async def write(self, frame: Frame) -> None:
        """Send a frame; waits while the client does not read."""
        try:
            await self._send(frame.broadcast.messages[0])
        except Exception as error:  # servers have many words for a client that has gone
            telemetry.count("topics.late_write", error=type(error).__name__)

    async def close(self, code: int, reason: str) -> None:
        """Close the WebSocket with the protocol's code."""
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception as error:
            telemetry.count("topics.late_write", error=type(error).__name__)


def _new_session(scope: Scope, receive: Receive, send: Send, framing: Framing) -> Session:
    transport, numbers = WebSocketTransport(send), limits()
    source = pushing_receive(scope, receive)
    direct = None if source is None else direct_write(source, send)
    outbox = Outbox(framing, direct or refuse, transport.write, numbers.max_queue_size)
    return Session(scope, transport, outbox, running_hub(), numbers)
