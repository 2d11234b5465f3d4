"""A session over a WebSocket, on any ASGI server; past the application where ours allows it."""

from __future__ import annotations

import secrets
from typing import Final

from channels import telemetry
from channels.mailbox import direct_write, pushing_receive
from channels.protocols.centrifuge.codes import DisconnectCode
from channels.protocols.centrifuge.framing import negotiate
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.sync.context import enter_context, exit_context
from channels.topics.delivery.frames import Frame, Framing, MessageFraming
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.limits import limits
from channels.topics.session.commands import handle_frame
from channels.topics.session.session import Session
from channels.typing import Message, Receive, Scope, Send

_FRAMINGS: Final[dict[str, Framing]] = {codec.name: MessageFraming(codec) for codec in (JSON, PROTOBUF)}
#: In the address of a client that wants to be ended by a request as well: a page whose worker is frozen.
BY_OTHERS: Final = b"session=1"
#: The code of RFC 6455 for a message above a limit.
TOO_BIG: Final = 1009


async def serve_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client: the ASGI application behind ``/connection/websocket``."""
    await receive()  # websocket.connect
    chosen = negotiate(scope.get("subprotocols", ()), scope["query_string"].decode("ascii", "replace"))
    await send({"type": "websocket.accept", "subprotocol": chosen.subprotocol})
    connection = enter_context(scope)
    session = _new_session(scope, receive, send, _FRAMINGS[chosen.codec.name])
    if BY_OTHERS in scope["query_string"].split(b"&"):
        let_others_end(session)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            frame = message.get("text") or message.get("bytes") or ""
            if len(frame) > session.limits.max_message_size:
                session.disconnect(TOO_BIG, "message size limit")
            elif not session.closed:
                await handle_frame(session, frame)
    finally:
        session.hub.upstreams.pop(session.secret, None)
        session.lost()
        exit_context(connection)


def let_others_end(session: Session) -> None:
    """Let a request that knows the session's secret end it, by an empty frame; commands come here only."""
    session.secret = secrets.token_urlsafe(24)

    def receive(frame: bytes) -> None:
        if not frame:
            session.end(DisconnectCode.CONNECTION_CLOSED)

    session.hub.upstreams[session.secret] = receive


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
        await self._try(frame.broadcast.messages[0])

    async def close(self, code: int, reason: str) -> None:
        """Close the WebSocket with the protocol's code."""
        await self._try({"type": "websocket.close", "code": code, "reason": reason})

    async def _try(self, message: Message) -> None:
        try:
            await self._send(message)
        except Exception as error:  # servers have many words for a client that has gone
            telemetry.count("topics.late_write", error=type(error).__name__)


def _new_session(scope: Scope, receive: Receive, send: Send, framing: Framing) -> Session:
    transport, numbers = WebSocketTransport(send), limits()
    source = pushing_receive(scope, receive)
    direct = None if source is None else direct_write(source, send)
    outbox = Outbox(framing, direct or refuse, transport.write, numbers.max_queue_size)
    return Session(scope, transport, outbox, running_hub(), numbers)
