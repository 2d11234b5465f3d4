"""Sessions that only listen: Centrifugo's unidirectional transports.

The client says once who it is and what it wants, in a ConnectRequest, and gets pushes without replies around
them, the first with what became of its request. Whatever it says later is passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import msgspec
from django.http import QueryDict

from channels import telemetry
from channels.core.broadcast import BROADCAST_TYPE, Broadcast
from channels.protocols.centrifuge.codec import Codec, ProtocolError
from channels.protocols.centrifuge.codes import DisconnectCode, disconnect_for
from channels.protocols.centrifuge.framing import decode_uni_connect, uni_connect
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import ConnectRequest, Disconnect, Push, Reply
from channels.sync.context import enter_context, exit_context
from channels.topics.delivery.frames import Frame, Framing
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.limits import limits
from channels.topics.session.connecting import connect
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.session.session import Session, Transport
from channels.topics.stores.base import StoreUnavailable
from channels.topics.transports.stream import StreamTransport
from channels.topics.transports.websocket import TOO_BIG, WebSocketTransport
from channels.typing import Receive, Scope, Send


class OneWayFraming(NamedTuple):
    """Pushes in JSON, nothing around them but what separates them in the body of a response.

    Attributes:
        before: bytes before each push.
        after: bytes after each push.
    """

    before: bytes = b""
    after: bytes = b""

    @property
    def codec(self) -> Codec:
        """The format."""
        return JSON

    def encode_push(self, push: Push) -> bytes:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return self.before + JSON.encode_uni_push(push) + self.after

    def encode_reply(self, reply: Reply) -> bytes:
        """Return nothing: there are no commands that would be answered."""
        return b""

    def encode_ping(self) -> bytes:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return self.before + JSON.ping + self.after

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return Frame(b"".join(messages), binary=True, messages=messages)


class MessagesFraming(OneWayFraming):
    """One push in each message of a WebSocket, however many leave together."""

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return _Messages(b"".join(messages), messages)


class _Messages(Frame):
    """Pushes, each on a line, as messages of their own."""

    __slots__ = ()

    def __init__(self, data: bytes, messages: Sequence[bytes]) -> None:
        self.data, self.messages = data, messages
        lines = data.decode().split("\n")[:-1]  # splitlines() would split texts at U+2028, too
        self.broadcast = Broadcast([{"type": BROADCAST_TYPE, "text": line} for line in lines])


EVENTS: Final = OneWayFraming(b"data: ", b"\n\n")
LINES: Final = OneWayFraming(after=b"\n")
MESSAGES: Final = MessagesFraming(after=b"\n")


class OneWayWebSocket(WebSocketTransport):
    """What carries a session over a WebSocket."""

    __slots__ = ()

    async def write(self, frame: Frame) -> None:
        """Send pushes, each as a message; waits while the client does not read."""
        for message in frame.broadcast.messages:
            await self._try(message)

    async def close(self, code: int, reason: str) -> None:
        """Tell the client why, unless it does not read, and close the WebSocket."""
        if code != DisconnectCode.SLOW:
            push = JSON.encode_uni_push(Push(disconnect=Disconnect(code, reason)))
            await self._try({"type": BROADCAST_TYPE, "text": push.decode()})
        await super().close(code, reason)


class OneWaySession(Session):
    """A client that cannot answer."""

    __slots__ = ()

    def expect_pong(self) -> None:
        """Expect nothing."""

    async def open(self, request: ConnectRequest) -> None:
        """Serve the client as it wants, or end the session with a code that says why not."""
        try:
            result = await connect(self, request)
        except CommandFailed as failed:
            self.end(disconnect_for(failed.error.code))
        except Disconnected as error:
            self.disconnect(error.code, error.reason)
        except StoreUnavailable as error:
            telemetry.count("topics.command_failed", command="connect", error=type(error).__name__)
            self.end(DisconnectCode.INTERNAL_SERVER_ERROR)
        else:
            self.push(uni_connect(msgspec.structs.replace(result, node="")))


def one_way_session(scope: Scope, transport: Transport, outbox: Outbox) -> OneWaySession:
    """Return a session in the running loop."""
    session = OneWaySession(scope, transport, outbox, running_hub(), limits())
    session.secret = secrets.token_urlsafe(24)  # by which the API may name it
    return session


def read_request(text: bytes | str) -> ConnectRequest:
    """Return what a client wants; nothing in particular if it says nothing.

    Raises:
        ProtocolError: it is no ConnectRequest.
    """
    return decode_uni_connect(text) if text else ConnectRequest()


async def serve_one_way(
    scope: Scope, framing: Framing, request: ConnectRequest, head: bytes
) -> AsyncIterator[bytes]:
    """Serve a client by a response; yields its body.

    Args:
        scope: of the request, with its user.
        framing: of the pushes.
        request: what the client wants.
        head: what the body begins with.
    """
    transport = StreamTransport(framing)
    outbox = Outbox(framing, refuse, transport.write, limits().max_queue_size)
    session = one_way_session(scope, transport, outbox)
    session.hub.spawn(session.open(request))
    try:
        if head:
            yield head
        async for chunk in transport.chunks():
            yield chunk
    finally:
        session.lost()
        transport.abandon()


async def open_by_message(session: OneWaySession, text: str | bytes) -> None:
    """Open a session with what a client sends first."""
    try:
        request = read_request(text)
    except ProtocolError as error:
        telemetry.count("topics.bad_frame", error=str(error))
        session.end(DisconnectCode.BAD_REQUEST)
    else:
        await session.open(request)


async def serve_one_way_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client: the ASGI application behind ``/connection/uni_websocket``."""
    await receive()  # websocket.connect
    query = QueryDict(scope["query_string"])
    await send({"type": "websocket.accept"})
    connection = enter_context(scope)
    transport = OneWayWebSocket(send)
    outbox = Outbox(MESSAGES, refuse, transport.write, limits().max_queue_size)
    session = one_way_session(scope, transport, outbox)
    try:
        if "cf_connect" in query:
            await open_by_message(session, query["cf_connect"])
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text") or message.get("bytes") or ""
            if len(text) > session.limits.max_message_size:
                session.disconnect(TOO_BIG, "message size limit")
            elif not session.has_tried and not session.closed:
                await open_by_message(session, text)
    finally:
        session.lost()
        exit_context(connection)
