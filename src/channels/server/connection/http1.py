"""HTTP/1.1 on one connection: the engine's events to streams, their answers to the engine.

Requests are taken one at a time; what a peer sends ahead (pipelining) waits in the engine. More than 400
lines: what stops and resumes the reading of a body has to be seen beside what ends the request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from channels import telemetry
from channels.core.token_bucket import TokenBucket
from channels.process.platforms import HAS_SENDFILE
from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    Event,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http.semantics import TLS_TO_CLEAR_TEXT
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake
from channels.protocols.http2.connection import upgrade_to_http2
from channels.server.asgi.handshake import handshake_rejected
from channels.server.asgi.http import HTTPStream, refuse_large_body
from channels.server.asgi.metering.websocket import open_websocket
from channels.server.asgi.response import Response
from channels.server.asgi.websocket import WebSocketStream
from channels.server.connection.http2 import HTTP2Handler
from channels.server.connection.interfaces import HandledConnection
from channels.server.interfaces import UpgradedHandler
from channels.server.io.sendfile import PIECE, FilePart, pump
from channels.server.io.timer_wheel import NEVER, Slot
from channels.server.limits.rate_limit import MinRateDeadline
from channels.server.limits.turns import QUANTUM
from channels.server.reports.protocol_facts import count_facts
from channels.typing import Headers

logger = logging.getLogger("channels.server")

#: How much a peer may send ahead of its turn before it is not read any more, in bytes.
_AHEAD = 65536


_TLS_TO_CLEAR_TEXT = (
    "A client speaks TLS to %s, which speaks clear text. Open https:// and wss:// addresses where TLS "
    "ends: at your proxy, or at an endpoint with a certificate (-e ssl:...); here it is http:// and ws://."
)


def _spoken(address: list[Any] | None) -> str:
    """Return an address of ASGI's scope as people write it: ``host:port``, or the path of a Unix socket."""
    return ":".join(str(part) for part in address or ("?",) if part is not None)


class _Waiting:
    """What has a time limit at present: the name of the setting that says how long."""

    IDLE = "keep_alive_timeout"
    HEAD = "head_timeout"
    BODY = "body_timeout"
    APPLICATION = "http_timeout"
    HANDSHAKE = ""  #: the WebSocket's stream keeps its own time


class HTTP1Handler:
    """What a connection does while it speaks HTTP/1.1. Also the Exchange of its streams."""

    __slots__ = (
        "_asked_at",
        "_body_pace",
        "_connection",
        "_deadline",
        "_engine",
        "_held",
        "_limits",
        "_part_pace",
        "_request_ended",
        "_runtime",
        "_stream",
        "_suspect",
        "_unread",
        "_waiting",
        "client",
        "server",
        "slot",
        "tls",
    )

    def __init__(self, connection: HandledConnection) -> None:
        self._connection = connection
        self._runtime = connection.runtime
        self._limits = self._runtime.time_limits
        self._engine = self._runtime.new_http1()
        self._stream: HTTPStream | WebSocketStream | None = None
        self._suspect: HTTPStream | WebSocketStream | None = None
        self._request_ended = True
        self._held = False
        self._asked_at = NEVER
        self._part_pace: TokenBucket | None = None
        self._unread = False
        self.client = connection.client
        self.server = connection.server
        self.tls = connection.tls
        self.slot: Slot | None = None
        self._wait_for(_Waiting.IDLE)

    # From the connection

    def data_received(self, data: bytes) -> None:
        """Feed the engine and act on what it understood."""
        if (request := self._engine.receive_known(data)) is not None:  # a head, and nothing behind it
            self._request_received(request)
            return
        self._engine.receive_data(data)
        if self._waiting == _Waiting.BODY:
            self._deadline = self._body_pace.received(len(data), self._runtime.timers.now)
        self._advance()

    def read_on(self) -> None:
        """Parse what the last turn of the loop has left in the engine."""
        self._advance()

    def eof_received(self) -> bool:
        """The peer sends no more. Whether it still reads cannot be known, so answers still go out."""
        self._engine.receive_data(b"")
        self._held = False
        self._advance()
        if isinstance(self._stream, WebSocketStream):
            self._stream.peer_finished()
        if self._stream is None or self._connection.closing:
            return False
        if self._engine.has_more:
            self._connection.watch_for_close()  # requests that it sent ahead come before its end
        return True

    def peer_closed(self) -> None:
        """Tell the stream of a close that the engine has not come to.

        A peer that has only closed its half still reads: what is answered from one look to the next, it gets
        as if it had not closed.
        """
        stream = self._stream
        if isinstance(stream, WebSocketStream):
            stream.peer_finished()
        elif stream is not None and not self._request_ended:
            stream.expect_progress()
        elif stream is not None and stream is self._suspect:
            stream.peer_finished()
        self._suspect = stream

    def connection_lost(self) -> None:
        """Tell the stream that the connection is gone, and let go of everything."""
        self._runtime.timers.cancel(self)
        self._held = False
        self._suspect = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.peer_left()

    def stop(self) -> None:
        """Close if no request runs; else its response tells the peer that it is the last one."""
        if self._stream is None:
            telemetry.count("server.idle_closed", reason="drain")
            self._connection.close(linger=True)

    # The engine's events

    def _advance(self) -> None:
        """Act on what the engine has understood, as far as the stream takes it and it fits into this turn."""
        engine = self._engine
        engine.frames_left = QUANTUM
        while not self._held and (event := engine.next_event()) is not None:
            if engine.facts:
                count_facts(engine)
            _ACTIONS[type(event)](self, event)
            if self._connection.closing:
                return
        if engine.small_chunks and not self._parts_are_allowed():
            self._violated(ProtocolViolated(429, "The body comes in too many small chunks."))
        elif engine.frames_left <= 0 and engine.buffered:
            self._runtime.turns.frames += QUANTUM - engine.frames_left
            self._connection.read_later()
        elif self._stream is None:
            if self._connection.handler is self:
                # A head's time limit begins with its first byte; more bytes do not move it.
                wanted = _Waiting.HEAD if self._engine.buffered else _Waiting.IDLE
                if self._waiting != wanted:
                    self._wait_for(wanted)
        elif engine.buffered > _AHEAD and not self._held:
            self._connection.pause_reading()

    def _parts_are_allowed(self) -> bool:
        """Count the small chunks of bodies."""
        amount, self._engine.small_chunks = self._engine.small_chunks, 0
        rate, now = self._runtime.config.body_max_small_parts, self._runtime.timers.now
        if self._part_pace is None:
            self._part_pace = TokenBucket(rate, now)
        return not rate or self._part_pace.allows(now, amount)

    def _request_received(self, request: RequestReceived) -> None:
        self._request_ended = request.ended
        if request.upgrade == b"websocket":
            self._wait_for(_Waiting.HANDSHAKE)
            self._open_websocket(request)
            return
        if request.upgrade == b"h2c" and self._goes_on_with_http2(request):
            return
        if request.ended:
            self._wait_for(_Waiting.APPLICATION)
        elif refuse_large_body(request, self._runtime, self):
            return
        else:
            self._wait_for_body()
        self._stream = HTTPStream(request, self._runtime, self)

    def _goes_on_with_http2(self, request: RequestReceived) -> bool:
        """Grant an upgrade to HTTP/2 in clear text (RFC 7540 section 3.2), if that is allowed."""
        config = self._runtime.config
        if not (config.http2 and config.http2_upgrade) or self.tls is not None:
            return False
        engine = upgrade_to_http2(request, self._runtime.http2_limits, self._runtime.http2_engine)
        if engine is None:
            return False
        self._engine.send_response(101, [(b"connection", b"Upgrade"), (b"upgrade", b"h2c")])
        self._write()
        self._runtime.timers.cancel(self)
        self._held = True  # nothing more is HTTP/1.1
        http2 = HTTP2Handler(self._connection, engine)
        self._connection.switch_handler(http2, self._engine.trailing_data())
        self._connection.resume_reading()
        return True

    def _open_websocket(self, request: RequestReceived) -> None:
        try:
            handshake = request.handshake or accept_handshake(request)
        except HandshakeRejected as error:
            handshake_rejected(request.target, error)
            self._refuse(error.status, error.reason, error.headers)
        else:
            self._stream = open_websocket(request, handshake, self._runtime, self, self._connection)

    def _body_received(self, event: BodyReceived) -> None:
        if isinstance(self._stream, HTTPStream):
            self._stream.body_received(event.data)

    def _body_ended(self, event: BodyEnded) -> None:
        self._request_ended = True
        if isinstance(self._stream, HTTPStream):
            self._wait_for(_Waiting.APPLICATION)
            self._stream.body_ended()

    def _peer_finished(self, event: ConnectionClosed) -> None:
        if self._stream is None:
            self._connection.close()
        else:
            self._stream.peer_finished()

    def _request_broken_off(self, event: StreamClosed) -> None:
        if self._stream is not None:
            self._stream.peer_left()
        self._connection.close()

    def _violated(self, event: ProtocolViolated) -> None:
        telemetry.count("server.bad_request", status=event.status, reason=event.reason)
        logger.debug("Bad request from %s: %s", self.client, event.reason)
        if event.reason == TLS_TO_CLEAR_TEXT:
            self._runtime.warn_rarely("tls to clear text", _TLS_TO_CLEAR_TEXT, _spoken(self.server))
        if self._stream is None:
            self._refuse(event.status, event.reason)
        else:
            self._unread = True
            self._stream.fail(event.status, event.reason)
            self._connection.close(linger=True)

    def _refuse(self, status: int, reason: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Answer a request that no stream stands for, and close."""
        self._unread = True
        response = Response(self._runtime, self, "http.response", head_only=False)
        response.refuse(status, reason, headers)

    # For the streams: see Exchange

    @property
    def congested(self) -> bool:
        """Whether the peer does not read fast enough."""
        return self._connection.congested

    @property
    def gone(self) -> bool:
        """Whether the connection is closed."""
        return self._connection.closing

    async def wait_writable(self) -> None:
        """Wait until the peer has read."""
        await self._connection.wait_writable()

    def abandoned(self, runs: int) -> None:
        """Count runs that go on although their peer has left."""
        self._connection.abandoned(runs)

    def hold_body(self) -> None:
        """Read no more of the body; the application is behind, so the peer is not late."""
        if self._connection.finished:
            return  # what there is has been read, and nothing more comes
        self._held = True
        self._connection.pause_reading()
        self._wait_for(_Waiting.APPLICATION)

    def release_body(self) -> None:
        """Read on, what waits in the engine first."""
        if not self._held:
            return  # the peer has finished, or is gone
        self._held = False
        self._wait_for_body()
        if self._engine.buffered:
            # In a turn of its own: an application that reads would have all of it parsed in this one.
            self._connection.read_later()
        else:
            self._advance()
        if not self._held:
            self._connection.resume_reading()

    def send_informational(self, status: int, headers: Headers) -> None:
        """Send an interim response."""
        self._engine.send_informational(status, headers)
        self._write()

    def send_response(self, status: int, headers: Headers) -> None:
        """Prepare the head; it goes out with what follows it."""
        self._engine.send_response(status, headers)

    def respond(self, status: int, fields: ResponseFields, own: ResponseFields, data: bytes) -> bool:
        """Send a whole response, if the engine can make it at once."""
        whole = self._engine.send_whole(status, fields, own, data)
        if whole is None:
            return False
        self._connection.write_now(whole)
        self._response_ended()
        return True

    def send_body(self, data: bytes) -> None:
        """Send a part of the body."""
        self._engine.send_data(data)
        self._write()

    async def send_file(self, part: FilePart) -> None:
        """Have the kernel copy a file to a socket in clear text; read and write it where it cannot."""
        if self.tls is not None or part.count <= PIECE or not HAS_SENDFILE:
            await pump(self, part)
            return
        behind = self._engine.begin_data(part.count)
        if behind is not None:
            self._write()
            await self._connection.send_file(part)
            self._connection.write(behind)

    def end_response(self, data: bytes, trailers: Headers) -> None:
        """Complete the response and go on to the next request, or close.

        Raises:
            ValueError: it is longer or shorter than its Content-Length, or a trailer cannot be
                sent; the connection is closed.
        """
        try:
            self._engine.send_data(data)
            self._engine.end_message(trailers)
        except ValueError:
            self.abort_response()
            raise
        finally:
            if self._engine.facts:
                count_facts(self._engine)
        self._connection.write_now(self._engine.data_to_send())
        self._response_ended()

    def _response_ended(self) -> None:
        """Go on to the next request, or close."""
        self._stream = None
        self._held = False
        if not self._request_ended:
            self._discard_body()
        if not self._request_ended:
            # The rest of a body that nobody wants: not worth waiting for.
            self._connection.close(linger=True)
        elif not self._engine.keep_alive or self._runtime.stopping:
            self._connection.close(linger=self._unread or self._engine.buffered > 0)
        else:
            self._engine.start_next_cycle()
            if not self._engine.has_more:
                self._wait_for(_Waiting.IDLE)
                self._connection.resume_reading()
                return
            self._advance()
            if not self._held and self._engine.buffered <= _AHEAD:
                self._connection.resume_reading()

    def abort_response(self) -> None:
        """Close without the end of the response, so that the peer sees that it is not whole."""
        self._stream = None
        self._write()
        self._connection.close(linger=not self._request_ended)

    def upgrade(self, stream: UpgradedHandler, headers: Headers, own: ResponseFields, accept: bytes) -> None:
        """Answer 101 and hand the connection over."""
        self._engine.switch_protocols(headers, own, accept)
        self._connection.write(self._engine.data_to_send())
        self._runtime.timers.cancel(self)
        self._stream = None
        self._connection.switch_handler(stream, self._engine.trailing_data())
        if not stream.held:
            self._connection.resume_reading()

    def _write(self) -> None:
        self._connection.write(self._engine.data_to_send())

    def _discard_body(self) -> None:
        """Throw away what has arrived of a body that nobody has read, if that is not much work."""
        self._engine.frames_left = QUANTUM
        while not self._request_ended and (event := self._engine.next_event()) is not None:
            if isinstance(event, BodyEnded):
                self._request_ended = True

    # Time

    def _wait_for_body(self) -> None:
        self._body_pace = MinRateDeadline(self._runtime.config, self._runtime.timers.now)
        self._wait_for(_Waiting.BODY)

    def _wait_for(self, waiting: str) -> None:
        """Let a time limit begin. Once the wheel waits for this handler, that is an assignment."""
        timers = self._runtime.timers
        self._waiting = waiting
        self._deadline = deadline = timers.now + self._limits[waiting]
        if deadline < self._asked_at:
            self._asked_at = deadline
            timers.schedule(self, deadline)

    def on_due(self, now: float) -> float:
        """Carry out the time limit, if it is up."""
        if now < self._deadline:
            self._asked_at = self._deadline
            return self._deadline
        self._deadline = self._asked_at = NEVER
        if self._waiting == _Waiting.IDLE and self._connection.congested:
            # Not idle: the last response is still on its way. Who does not read it is cut by the connection.
            self._deadline = self._asked_at = now + self._limits[self._waiting]
            return self._deadline
        if self._waiting == _Waiting.IDLE:
            telemetry.count("server.idle_closed", reason="timeout")
            self._connection.close()
        elif self._waiting == _Waiting.HEAD:
            telemetry.count("server.slow_sender", reason="head")
            self._refuse(408, "The request's head did not arrive in time.")
        elif isinstance(self._stream, HTTPStream):
            self._stream_timed_out(self._stream)
        return NEVER

    def _stream_timed_out(self, stream: HTTPStream) -> None:
        self._unread = True
        if self._waiting == _Waiting.BODY:
            stream.body_timed_out()
        else:
            stream.timed_out()
        self._connection.close(linger=True)


_ACTIONS: dict[type[Event], Any] = {
    RequestReceived: HTTP1Handler._request_received,
    BodyReceived: HTTP1Handler._body_received,
    BodyEnded: HTTP1Handler._body_ended,
    StreamClosed: HTTP1Handler._request_broken_off,
    ConnectionClosed: HTTP1Handler._peer_finished,
    ProtocolViolated: HTTP1Handler._violated,
}
