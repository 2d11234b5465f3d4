"""HTTP/2 on one connection: the engine's events to streams, many at a time.

It begins in three ways: agreed on in TLS (ALPN), known before (the first bytes are
HTTP/2's preface), or, where that is allowed, asked for by an HTTP/1.1 request (Upgrade: h2c).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    Event,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
    StreamWritable,
)
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake
from channels.protocols.http2.connection import HTTP2Connection
from channels.server.asgi.handshake import handshake_rejected
from channels.server.asgi.http import refuse_large_body
from channels.server.asgi.response import Response
from channels.server.connection.http2_exchange import CANCEL, HTTP2Exchange
from channels.server.connection.interfaces import HandledConnection
from channels.server.io.timer_wheel import NEVER, Slot
from channels.server.limits.turns import QUANTUM
from channels.server.reports.protocol_facts import count_facts

logger = logging.getLogger("channels.server")

#: Seconds between two looks at the time limits and floods of a connection.
_TICK = 1.0
#: How much of all responses may wait in a connection before the rest waits with its streams, in bytes:
#: more than the windows of most clients let through, so that these never do.
_UNREAD = 1_048_576
#: How much of that goes out each time the peer has read.
_AT_ONCE = _UNREAD // 2


class HTTP2Handler:
    """What a connection does while it speaks HTTP/2.

    Args:
        connection: the connection.
        engine: one that has begun already, by an upgrade; None for a new one.

    Attributes:
        connection: the connection.
        engine: its protocol.
        runtime: what the process shares.
    """

    __slots__ = (
        "_advancing",
        "_counted",
        "_due",
        "_exchanges",
        "_final_by",
        "_holding",
        "_idle_by",
        "_stalls",
        "_unwritten",
        "connection",
        "engine",
        "runtime",
        "slot",
    )

    def __init__(self, connection: HandledConnection, engine: HTTP2Connection | None = None) -> None:
        self.connection = connection
        self.runtime = connection.runtime
        self.engine = engine or HTTP2Connection(self.runtime.http2_limits, engine=self.runtime.http2_engine)
        self.slot: Slot | None = None
        self._exchanges: dict[int, HTTP2Exchange] = {}
        #: The address whose streams are counted.
        client = connection.client
        self._counted = client if self.runtime.admission.counts_streams(client) else None
        self._advancing = self._due = False
        self._final_by = NEVER
        self._holding: asyncio.Task[None] | None = None
        self._stalls: dict[int, tuple[float, float]] = {}
        self._unwritten = 0
        self._idle_by = NEVER
        self._rest()
        self.runtime.timers.schedule(self, self.runtime.timers.now + _TICK)
        self.advance()

    # From the connection

    def data_received(self, data: bytes) -> None:
        """Feed the engine and act on what it understood."""
        self.engine.receive_data(data)
        self.read_on()

    def read_on(self) -> None:
        """Act on the next frames, as many as fit into a turn of the loop."""
        engine, turns = self.engine, self.runtime.turns
        begun, engine.frames_left = turns.frames, QUANTUM
        self.advance()
        turns.frames = begun + QUANTUM - engine.frames_left
        if engine.frames_left > 0:
            return
        engine.frames_left = 0  # what else is to be told until it goes on reads nothing
        if engine.buffered:
            self.connection.read_later()
        else:
            engine.frames_left = 1
            self.advance()  # the last frame may have been a goodbye

    def eof_received(self) -> bool:
        """The peer is gone: HTTP/2 does not know connections that are closed in one direction."""
        self.engine.receive_data(b"")
        self.advance()
        return False

    def peer_closed(self) -> None:
        """The connection is read all the time, so its close comes with ``eof_received``."""

    def connection_lost(self) -> None:
        """Tell all streams that the connection is gone, and let go of everything."""
        self.runtime.timers.cancel(self)
        exchanges, self._exchanges = list(self._exchanges.values()), {}
        self._give_back(len(exchanges))
        self.engine.discard()
        self.engine.receive_data(b"")
        self.engine.frames_left = 1
        while self.engine.next_event() is not None:
            pass  # the engine learns that its streams are over, so that no sender waits for it
        for exchange in exchanges:
            exchange.lost()

    def stop(self) -> None:
        """Ask for no more requests, and close after the last stream; the drain closes WebSockets."""
        self._leave()
        self.advance()

    def _leave(self) -> None:
        """Send two GOAWAYs, so that no request is lost that was on its way (RFC 9113 section 6.8)."""
        if self._final_by == NEVER:
            self._final_by = self.runtime.timers.now + _TICK
            self.engine.announce_shutdown()

    # The engine's events

    def advance(self, *, now: bool = False) -> None:
        """Act on what the engine has to tell, and send what it has to send.

        Args:
            now: do not wait for what others write in this turn of the loop.
        """
        if self._advancing:
            return
        self._advancing = True
        try:
            while (event := self.engine.next_event()) is not None:
                _ACTIONS[type(event)](self, event)
        finally:
            self._advancing = False
            if self.engine.facts:
                count_facts(self.engine)
        self._unwritten = 0
        if data := self.engine.data_to_send():
            (self.connection.write_now if now else self.connection.write)(data)
        if self.connection.congested and self._holding is None and self.connection.unsent > _UNREAD:
            self._hold()
        if self.engine.draining and not self.engine.open_streams:
            self.connection.close(linger=True)

    def _hold(self) -> None:
        """Keep bodies with their streams, where each is bounded, while the peer reads nothing at all.

        Its windows may be open: what a hundred streams write into them would all wait in memory.
        """
        self.engine.hold()
        self._holding = self.runtime.loop.create_task(self._release())

    async def _release(self) -> None:
        """Send what was held, as fast as the peer reads."""
        released = False
        while not released:
            await self.connection.wait_writable()
            if self.connection.closing:
                return
            released = self.engine.release(_AT_ONCE)
            if released:
                self._holding = None
            self.advance()
            self.connection.flush()
            await asyncio.sleep(0)  # others have their turn, also while the kernel takes everything

    def wrote(self, size: int) -> None:
        """Count what waits for the end of this turn of the loop; too much of it goes out at once."""
        self._unwritten += size
        if self._unwritten > _UNREAD:
            self.advance()

    def completed(self, stream_id: int) -> None:
        """Forget a stream that is over for the application, and send what is left of it."""
        if self._exchanges.pop(stream_id, None) is not None:
            self._give_back(1)
        self._rest()
        if self.runtime.stopping:
            self._leave()
        if not self._due:
            self._due = True
            self.runtime.end_of_turn.flush(self)

    def flush(self) -> None:
        """Send what is left of all streams that ended in this turn of the loop."""
        self._due = False
        if not self.connection.closing:
            self.advance(now=True)

    def _request_received(self, request: RequestReceived) -> None:
        runtime = self.runtime
        crowded = runtime.admission.abandoned_runs and runtime.is_crowded(self.connection.client)
        if crowded or (self._counted is not None and not runtime.takes_stream(self._counted)):
            self.engine.refuse(request.stream_id)
            return
        exchange = self._exchanges[request.stream_id] = HTTP2Exchange(self, request.stream_id)
        self._idle_by = NEVER
        if request.upgrade == b"websocket":
            self._open_websocket(request, exchange)
            return
        if not request.ended and refuse_large_body(request, self.runtime, exchange):
            return
        exchange.begin(request)

    def _give_back(self, streams: int) -> None:
        """Give back the places of streams that are over to the address of the peer."""
        if self._counted is not None:
            self.runtime.admission.streams.add(self._counted[0], -streams)

    def _open_websocket(self, request: RequestReceived, exchange: HTTP2Exchange) -> None:
        try:
            handshake = accept_handshake(request)
        except HandshakeRejected as error:
            handshake_rejected(request.target, error)
            response = Response(self.runtime, exchange, "http.response", head_only=False)
            response.answer(error.status, error.reason, error.headers)
        else:
            exchange.begin_websocket(request, handshake)

    def _body_received(self, event: BodyReceived) -> None:
        if (exchange := self._exchanges.get(event.stream_id)) is not None:
            begun = self.runtime.turns.frames
            exchange.body_received(event.data)
            self.engine.frames_left -= self.runtime.turns.frames - begun  # those of a WebSocket in it
        else:
            self.engine.acknowledge(event.stream_id, len(event.data))

    def _body_ended(self, event: BodyEnded) -> None:
        if (exchange := self._exchanges.get(event.stream_id)) is not None:
            exchange.body_ended()
            if exchange.stream is None:
                self._forget(exchange)

    def _stream_closed(self, event: StreamClosed) -> None:
        if (exchange := self._exchanges.get(event.stream_id)) is not None:
            self._forget(exchange)

    def _forget(self, exchange: HTTP2Exchange) -> None:
        if self._exchanges.pop(exchange.stream_id, None) is not None:
            self._give_back(1)
        exchange.lost()
        self._rest()

    def _stream_writable(self, event: StreamWritable) -> None:
        if (exchange := self._exchanges.get(event.stream_id)) is not None:
            exchange.writable()

    def _connection_closed(self, event: ConnectionClosed) -> None:
        self.connection.write(self.engine.data_to_send())
        self.connection.close()

    def _violated(self, event: ProtocolViolated) -> None:
        telemetry.count("server.bad_request", status=event.status, reason=event.reason)
        logger.debug("Bad HTTP/2 from %s: %s", self.connection.client, event.reason)
        self.connection.write(self.engine.data_to_send())
        for exchange in list(self._exchanges.values()):
            self._forget(exchange)
        self.connection.close(linger=True)

    # Time

    def _rest(self) -> None:
        """Begin the time limit of an idle connection, at the end of its last stream."""
        limit = self.runtime.config.keep_alive_timeout
        if not self._exchanges and limit is not None:
            self._idle_by = self.runtime.timers.now + limit

    def on_due(self, now: float) -> float:
        """Look at the time limits of the connection and of its streams."""
        if self.connection.closing:
            return NEVER
        self.engine.start_window()
        for exchange in list(self._exchanges.values()):
            if now >= exchange.deadline:
                exchange.timed_out()
        self._cut_stalled(now)
        if now >= self._final_by:
            self.engine.shutdown()  # the peer has not answered the first goodbye
            self.advance()
        elif now >= self._idle_by and not self.engine.open_streams and self._final_by == NEVER:
            telemetry.count("server.idle_closed", reason="timeout")
            self._leave()
            self.advance()
        return now + _TICK

    def _cut_stalled(self, now: float) -> None:
        """Reset the streams whose peers have left a full window unread for too long."""
        limit = self.runtime.config.write_timeout
        blocked = self.engine.blocked
        if limit is None or not blocked or self._holding is not None:
            # One that takes its turn on a slow connection is not to blame; who reads nothing is cut there.
            self._stalls.clear()
            return
        stalls: dict[int, tuple[float, float]] = {}
        for stream_id in blocked:
            pending = self.engine.pending(stream_id)
            known, by = self._stalls.get(stream_id, (NEVER, NEVER))
            if known - pending >= self.runtime.config.write_buffer_size // 4:
                stalls[stream_id] = (pending, now + limit)
            elif now < by:
                stalls[stream_id] = (known, by)
            else:
                self._cut(stream_id)
        self._stalls = stalls

    def _cut(self, stream_id: int) -> None:
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.cut("timeout")
            return
        # Its application has said all there was to say.
        telemetry.count("server.slow_reader", reason="timeout", client=self.connection.client)
        self.engine.reset(stream_id, CANCEL)
        self.advance()


_ACTIONS: dict[type[Event], Callable[[HTTP2Handler, Any], None]] = {
    RequestReceived: HTTP2Handler._request_received,
    BodyReceived: HTTP2Handler._body_received,
    BodyEnded: HTTP2Handler._body_ended,
    StreamClosed: HTTP2Handler._stream_closed,
    StreamWritable: HTTP2Handler._stream_writable,
    ConnectionClosed: HTTP2Handler._connection_closed,
    ProtocolViolated: HTTP2Handler._violated,
}
