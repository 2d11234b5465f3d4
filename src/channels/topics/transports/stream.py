"""A session in the body of one HTTP response; its commands come by other requests."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from channels.protocols.centrifuge.codec import Codec
from channels.protocols.centrifuge.codes import DisconnectCode
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Disconnect, Push, Reply
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.topics.delivery.frames import Frame, Framing
from channels.topics.delivery.hub import running_hub
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.limits import limits
from channels.topics.session.commands import handle_frame
from channels.topics.session.session import Session
from channels.typing import Scope

#: Frames from a client that wait for those before them.
UPSTREAM_LIMIT: Final = 256


class StreamFraming(NamedTuple):
    """Messages in the body of a response.

    Attributes:
        codec: the format.
        before: bytes before each message.
        after: bytes after each message.
    """

    codec: Codec
    before: bytes = b""
    after: bytes = b""

    def encode_push(self, push: Push) -> bytes:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return self.before + self.codec.encode_push(push) + self.after

    def encode_reply(self, reply: Reply) -> bytes:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return self.before + self.codec.encode_reply(reply) + self.after

    def encode_ping(self) -> bytes:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return self.before + self.codec.ping + self.after

    def frame(self, messages: Sequence[bytes]) -> Frame:
        """See :class:`~channels.topics.delivery.frames.Framing`."""
        return Frame(b"".join(messages), binary=True, messages=messages)


#: Events of an event stream (the WHATWG's HTML standard, 9.2), lines, and messages behind their lengths.
EVENTS: Final = StreamFraming(JSON, b"data: ", b"\n\n")
LINES: Final = StreamFraming(JSON, b"", b"\n")
LENGTHS: Final = StreamFraming(PROTOBUF)


class StreamTransport:
    """What a session needs of a streamed response: one chunk at a time, the next when that has been read.

    Args:
        framing: of the messages.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._abandoned = False

    async def write(self, frame: Frame) -> None:
        """Send a frame; waits while the client does not read."""
        await self.put(frame.data)

    async def close(self, code: int, reason: str) -> None:
        """Tell the client why, unless it does not read, and end the response."""
        if code != DisconnectCode.SLOW:
            await self.put(self._framing.encode_push(Push(disconnect=Disconnect(code, reason))))
        await self.end(at_once=code == DisconnectCode.SLOW)

    async def put(self, chunk: bytes | None) -> None:
        """Send a chunk, or None for the end; waits while the client does not read."""
        if not self._abandoned:
            await self._chunks.put(chunk)
        if self._abandoned:
            self._clear()  # for whoever waits next

    async def end(self, at_once: bool = False) -> None:
        """End the response.

        Args:
            at_once: without what has not been read yet.
        """
        if at_once:
            self._clear()
        await self.put(None)

    def abandon(self) -> None:
        """Let nobody wait for a reader who has gone."""
        self._abandoned = True
        self._clear()

    def _clear(self) -> None:
        while not self._chunks.empty():
            self._chunks.get_nowait()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is to be sent, until the session ends."""
        while (chunk := await self._chunks.get()) is not None:
            yield chunk


class Upstream:
    """The way up of a session: frames that other requests bring, handled one after the other.

    Args:
        session: the session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(maxsize=UPSTREAM_LIMIT)

    def receive(self, frame: bytes) -> None:
        """Take a frame; too many that wait end the session."""
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self._session.end(DisconnectCode.TOO_MANY_REQUESTS)

    def receive_from_others(self, frame: bytes) -> None:
        """Take a frame of another request; an empty one says that the client has gone."""
        if frame:
            self.receive(frame)
        else:
            self._session.end(DisconnectCode.CONNECTION_CLOSED)

    async def run(self) -> None:
        """Handle frames until the session ends."""
        while not self._session.closed:
            await handle_frame(self._session, await self._frames.get())


def new_session(scope: Scope, framing: StreamFraming) -> tuple[Session, StreamTransport]:
    """Return a session in the running loop, and what carries it."""
    numbers = limits()
    transport = StreamTransport(framing)
    outbox = Outbox(framing, refuse, transport.write, numbers.max_queue_size)
    return Session(scope, transport, outbox, running_hub(), numbers), transport


async def serve_stream(
    scope: Scope, framing: StreamFraming, first: bytes, head: bytes
) -> AsyncIterator[bytes]:
    """Serve a client that connects with the frame ``first``; yields the body of the response.

    Args:
        scope: of the request, with its user.
        framing: of the messages.
        first: the frame with the connect command.
        head: what the body begins with.
    """
    session, transport = new_session(scope, framing)
    upstream, hub = Upstream(session), session.hub
    session.secret = secrets.token_urlsafe(24)
    hub.upstreams[session.secret] = upstream.receive_from_others
    upstream.receive(first)
    reader = asyncio.create_task(upstream.run())
    try:
        yield head
        async for chunk in transport.chunks():
            yield chunk
    finally:
        reader.cancel()
        hub.upstreams.pop(session.secret, None)
        session.lost()
        transport.abandon()
