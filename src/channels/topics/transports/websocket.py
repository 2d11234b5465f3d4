"""A session over a WebSocket, on any ASGI server; past the application where ours allows it."""

from __future__ import annotations

from channels.mailbox import direct_write, pushing_receive
from channels.protocols.centrifuge.json_codec import JSON
from channels.sync.context import enter_context, exit_context
from channels.topics.delivery.frames import Frame, MessageFraming
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.limits import limits
from channels.topics.session.commands import handle_frame
from channels.topics.session.session import Session
from channels.typing import Receive, Scope, Send

_JSON_FRAMING = MessageFraming(JSON)


async def websocket_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client: the ASGI application behind ``/connection/websocket``."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    connection = enter_context(scope)
    session = _new_session(scope, receive, send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await handle_frame(session, message.get("text") or message.get("bytes") or "")
    finally:
        session.lost()
        exit_context(connection)


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
        await self._send(frame.broadcast.messages[0])

    async def close(self, code: int, reason: str) -> None:
        """Close the WebSocket with the protocol's code."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _new_session(scope: Scope, receive: Receive, send: Send) -> Session:
    transport, numbers = WebSocketTransport(send), limits()
    source = pushing_receive(scope, receive)
    direct = None if source is None else direct_write(source, send)
    outbox = Outbox(_JSON_FRAMING, direct or refuse, transport.write, numbers.max_queue_size)
    return Session(scope, transport, outbox, running_hub(), numbers)
