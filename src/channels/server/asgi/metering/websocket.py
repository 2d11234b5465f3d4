"""A WebSocket that counts its messages, and tells how long some of them wait for the application.

It is another class, so that one that does not count costs nothing. What comes is not counted message by
message: the limit of the rate counts already.
"""

from __future__ import annotations

import time
from typing import Any, Final

from channels import telemetry
from channels.core.broadcast import Broadcast
from channels.protocols.events import Handshake, RequestReceived
from channels.protocols.websocket.frames import text_frame
from channels.server.asgi.event_queue import EventQueue
from channels.server.asgi.websocket import WebSocketStream
from channels.server.asgi.websocket_states import State
from channels.server.interfaces import Exchange, Link
from channels.server.reports.meter import Meter
from channels.server.runtime import Runtime
from channels.typing import Message

# Looked up here, not by super(), for each message (row "broadcast-4").
_write_broadcast: Final = WebSocketStream.write_broadcast
_OPEN: Final = State.OPEN


def open_websocket(
    request: RequestReceived, handshake: Handshake, runtime: Runtime, exchange: Exchange, link: Link
) -> WebSocketStream:
    """Return the stream of a new WebSocket; see :class:`WebSocketStream` for what it takes."""
    if runtime.meter is None:
        return WebSocketStream(request, handshake, runtime, exchange, link)
    return MeteredWebSocketStream(runtime.meter, request, handshake, runtime, exchange, link)


class MeteredWebSocketStream(WebSocketStream):
    """A WebSocket that counts.

    Args:
        meter: takes what it has counted when it is over.
        opening: what :class:`WebSocketStream` takes.

    Attributes:
        sent: how many messages it has sent.
    """

    __slots__ = ("_granted", "_meter", "sent")

    def __init__(self, meter: Meter, *opening: Any) -> None:
        self._meter = meter
        self._granted = self.sent = 0
        super().__init__(*opening)
        config = self.runtime.config
        self._inbox = TimedEventQueue(config.websocket_queue_size, config.websocket_queue_bytes)

    @property
    def received(self) -> int:
        """How many messages have come."""
        return self._granted - self._unjudged

    def time_next(self) -> None:
        """Tell how long the message waits that comes next."""
        if self.is_open and isinstance(self._inbox, TimedEventQueue):
            self._inbox.time_next()

    async def send(self, message: Message) -> None:
        """See :class:`WebSocketStream`; written out: a call less for each message (row "echo, metrics")."""
        kind, link = message.get("type", ""), self._link
        if kind == "websocket.send" and self._state is _OPEN:
            text, protocol = message.get("text"), self._protocol
            if type(text) is str and len(message) == 2:
                link.write(text_frame(text) if protocol.plain else protocol.message_to_send(text))
            else:
                self._send(message)
            self.sent += 1
        else:
            self._step(kind, message)
        if link.congested and self._state is _OPEN:
            if link.unsent > self.runtime.config.write_limit:
                link.cut("bytes")
            await link.wait_writable()

    def write_broadcast(self, broadcast: Broadcast) -> bool:
        """See :class:`WebSocketStream`."""
        written = _write_broadcast(self, broadcast)
        if written:
            self.sent += 1
        return written

    def _rate_is_kept(self) -> bool:
        before = self._unjudged
        kept = super()._rate_is_kept()
        self._granted += self._unjudged - before + kept
        return kept

    def _finish(self, code: int, reason: str) -> None:
        self._meter.messages_received += self.received
        self._meter.messages_sent += self.sent
        self._granted, self.sent = self._unjudged, 0
        super()._finish(code, reason)


class TimedEventQueue(EventQueue):
    """A queue that can tell how long one of its messages has waited."""

    __slots__ = ("_ahead", "_since")

    _ahead: int
    _since: float

    def time_next(self) -> None:
        """Tell of the message that is put next, when it is taken."""
        self._ahead, self._since = len(self), time.perf_counter()
        self.__class__ = _TimingEventQueue  # so that the others cost nothing


class _TimingEventQueue(TimedEventQueue):
    __slots__ = ()

    def time_next(self) -> None:
        """One is timed already."""

    def take(self) -> Message | None:
        """Take the oldest event; tell of the one that is timed."""
        if self._ahead > 0:
            self._ahead -= 1
        else:
            self.__class__ = TimedEventQueue  # type: ignore[assignment]
            telemetry.emit("server.message_taken", seconds=time.perf_counter() - self._since)
        return EventQueue.take(self)  # super() would look for the class that it no longer is
