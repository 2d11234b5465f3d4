"""One stream of an HTTP/2 connection, as the streams of the application see it."""

from __future__ import annotations

from channels import telemetry
from channels.protocols.events import Handshake, RequestReceived
from channels.protocols.http.fields import ResponseFields
from channels.server.asgi.http import HTTPStream
from channels.server.asgi.metering.websocket import open_websocket
from channels.server.asgi.websocket import WebSocketStream
from channels.server.connection.interfaces import Multiplexer
from channels.server.interfaces import UpgradedHandler
from channels.server.io.sendfile import FilePart, pump
from channels.server.io.timer_wheel import NEVER
from channels.server.io.waiters import Waiters
from channels.server.limits.rate_limit import MinRateDeadline
from channels.typing import Headers

#: Error codes of RFC 9113 section 7.
_INTERNAL_ERROR, CANCEL = 0x2, 0x8


class HTTP2Exchange:
    """The Exchange of a request, and the Link of a WebSocket over HTTP/2 (RFC 8441).

    What the application has not taken is not acknowledged: the peer's window closes, and
    the peer waits, as one over HTTP/1.1 waits for a connection that is not read.

    Args:
        handler: the connection.
        stream_id: which of its streams.

    Attributes:
        stream: the request or the WebSocket, once there is one.
        deadline: when :meth:`timed_out` is to be called, in loop time.
    """

    __slots__ = (
        "_body_pace",
        "_early",
        "_handler",
        "_held",
        "_limit",
        "_open",
        "_resting",
        "_unacknowledged",
        "_waiters",
        "client",
        "deadline",
        "server",
        "stream",
        "stream_id",
        "tls",
    )

    def __init__(self, handler: Multiplexer, stream_id: int) -> None:
        connection = handler.connection
        self.client = connection.client
        self.server = connection.server
        self.tls = connection.tls
        self.stream_id = stream_id
        self.stream: HTTPStream | WebSocketStream | None = None
        runtime = handler.runtime
        self.deadline = runtime.timers.now + runtime.time_limits["http_timeout"]
        self._handler = handler
        self._open = False
        self._limit = "http_timeout"
        self._held = self._resting = False
        self._unacknowledged = 0
        self._early: list[bytes] = []
        self._waiters: Waiters | None = None

    # From the peer

    def begin(self, request: RequestReceived) -> None:
        """Run the application for a request."""
        if not request.ended:
            self.expect("body_timeout")
        self.stream = HTTPStream(request, self._handler.runtime, self)

    def begin_websocket(self, request: RequestReceived, handshake: Handshake) -> None:
        """Run the application for a WebSocket, which keeps its own time limits."""
        self._limit, self.deadline = "", NEVER
        self.stream = open_websocket(request, handshake, self._handler.runtime, self, self)

    def body_received(self, data: bytes) -> None:
        """Hand on a part of a body, or of what a WebSocket says."""
        self._unacknowledged += len(data)
        if isinstance(self.stream, HTTPStream):
            if self._limit == "body_timeout":
                self.deadline = self._body_pace.received(len(data), self._handler.runtime.timers.now)
            self.stream.body_received(data)
        elif self.stream is not None and self._open:
            websocket, parses = self.stream, not self._resting
            websocket.data_received(data)
            if parses:
                self._handler.runtime.turns.frames += websocket.frames_parsed
        else:
            self._early.append(data)
            self._held = True  # one window of it at most, until the handshake is answered
        self._acknowledge()

    def read_later(self) -> None:
        """Leave the window of a WebSocket closed until a later turn of the loop."""
        self._resting = True
        self._handler.runtime.turns.later(self)

    def read_on(self) -> None:
        """Let the WebSocket parse what it has left; when it has nothing left, open the window."""
        self._resting = False
        if isinstance(self.stream, WebSocketStream):
            self.stream.read_on()
        self._acknowledge()
        self._handler.advance()

    def body_ended(self) -> None:
        """Tell the request or the WebSocket that the peer has ended its half of the stream."""
        if isinstance(self.stream, HTTPStream):
            self.expect("http_timeout")
            self.stream.body_ended()
        elif self.stream is not None and self._open:
            self.stream.eof_received()
            self.close()
        elif self.stream is not None:
            self.stream.peer_finished()

    def lost(self) -> None:
        """Tell the request or the WebSocket that the stream of HTTP/2 is over in both directions."""
        self.deadline = NEVER
        self.writable()
        stream, self.stream = self.stream, None
        if isinstance(stream, WebSocketStream) and self._open:
            stream.connection_lost()
        elif stream is not None:
            stream.peer_left()

    def writable(self) -> None:
        """Wake the senders that wait: the peer has read what waited for it."""
        if self._waiters is not None:
            self._waiters.wake()

    # Time

    def expect(self, limit: str) -> None:
        """Let the time limit of this name in the settings begin now."""
        self._limit, runtime = limit, self._handler.runtime
        if limit == "body_timeout":
            self._body_pace = MinRateDeadline(runtime.config, runtime.timers.now)
        self.deadline = runtime.timers.now + runtime.time_limits[limit]

    def timed_out(self) -> None:
        """Answer, or reset the stream, because its time limit is up."""
        self.deadline = NEVER
        if not isinstance(self.stream, HTTPStream):
            self.abort()  # a WebSocket that was closed, and whose peer does not end its half
        elif self._limit == "body_timeout":
            self.stream.body_timed_out()
        else:
            self.stream.timed_out()

    # For the streams: see Exchange and Link

    @property
    def congested(self) -> bool:
        """Whether the peer does not read fast enough, this stream or all of them."""
        handler = self._handler
        most = handler.runtime.config.write_buffer_size
        return handler.connection.congested or handler.engine.pending(self.stream_id) > most

    @property
    def gone(self) -> bool:
        """Whether the stream is over, for the peer or for the application."""
        return self.stream is None

    @property
    def unsent(self) -> int:
        """How many bytes of this stream wait to be written."""
        return self._handler.engine.pending(self.stream_id) + self._handler.connection.unsent

    async def wait_writable(self) -> None:
        """Wait until the peer has read, or is gone."""
        while self.congested:
            if self._handler.connection.congested:
                await self._handler.connection.wait_writable()
                continue
            if self._waiters is None:
                self._waiters = Waiters()
            await self._waiters.wait()

    def abandoned(self, runs: int) -> None:
        """Count runs that go on although their stream is over, as streams of the connection."""
        self._handler.engine.occupy(runs)
        if self.client is not None:
            self._handler.runtime.admission.abandoned(self.client[0], runs)

    def hold_body(self) -> None:
        """Leave the peer's window closed; the application is behind, so the peer is not late."""
        self._held = True
        self.expect("http_timeout")

    def release_body(self) -> None:
        """Open the window again."""
        self._held = False
        self.expect("body_timeout")
        self._acknowledge()
        self._handler.advance()

    def pause_reading(self) -> None:
        """Leave the window of a WebSocket closed."""
        self._held = True

    def resume_reading(self) -> None:
        """Open the window of a WebSocket again."""
        self._held = False
        self._acknowledge()
        self._handler.advance()

    def send_informational(self, status: int, headers: Headers) -> None:
        """Send an interim response."""
        self._handler.engine.send_informational(self.stream_id, status, headers)
        self._handler.advance()

    def send_response(self, status: int, headers: Headers) -> None:
        """Prepare the head; it goes out with what follows it."""
        self._handler.engine.send_response(self.stream_id, status, headers)

    def respond(self, status: int, fields: ResponseFields, own: ResponseFields, data: bytes) -> bool:
        """Send a whole response, unless its length is not what it says."""
        if fields.length not in (None, len(data)):
            return False
        if self._handler.engine.send_whole(self.stream_id, status, fields, own, data):
            self._handler.wrote(len(data))
            self._completed()
        else:
            length = [(b"content-length", b"%d" % len(data))] if fields.length is None else []
            self.send_response(status, [*fields.headers, *length, *own.headers])
            self.end_response(data, [])
        return True

    def send_body(self, data: bytes) -> None:
        """Send a part of the body."""
        self._handler.engine.send_data(self.stream_id, data)
        self._handler.advance()

    async def send_file(self, part: FilePart) -> None:
        """Read a file and send it."""
        await pump(self, part)

    def end_response(self, data: bytes, trailers: Headers) -> None:
        """Complete the response.

        Raises:
            ValueError: it is longer or shorter than its Content-Length, or a trailer cannot be
                sent; the stream is reset.
        """
        engine = self._handler.engine
        try:
            engine.send_data(self.stream_id, data, end=not trailers)
            if trailers:
                engine.end_stream(self.stream_id, trailers)
        except ValueError:
            self.abort_response()
            raise
        self._handler.wrote(len(data))
        self._completed()

    def abort_response(self) -> None:
        """Reset the stream, so that the peer sees that the response is not whole."""
        self._handler.engine.reset(self.stream_id, _INTERNAL_ERROR)
        self._completed()

    def upgrade(self, stream: UpgradedHandler, headers: Headers, own: ResponseFields, accept: bytes) -> None:
        """Answer 200; from now on the stream's data are the WebSocket's."""
        self._handler.engine.send_response(self.stream_id, 200, [*headers, *own.headers])
        self._open = True
        early, self._early = b"".join(self._early), []
        if early:
            self._held = False
            stream.data_received(early)
        self._acknowledge()
        self._handler.advance()

    def write(self, data: bytes) -> None:
        """Send what a WebSocket says."""
        self._handler.engine.send_data(self.stream_id, data)
        self._handler.advance()

    write_now = write

    def close(self, *, linger: bool = False) -> None:
        """End our half after everything was sent; the peer has a while to end its own."""
        if self._open:
            self._open = False
            self._handler.engine.end_stream(self.stream_id)
            self.stream = None
            self.expect("websocket_close_timeout")
            self._handler.advance()
        elif self.stream is not None:
            self.abort()

    def abort(self) -> None:
        """Reset the stream."""
        self._reset(CANCEL)

    def cut(self, reason: str) -> None:
        """Reset the stream of a peer that reads too slowly."""
        telemetry.count("server.slow_reader", reason=reason, client=self.client)
        self._reset(CANCEL)

    def _reset(self, code: int) -> None:
        self._handler.engine.reset(self.stream_id, code)
        self.lost()
        self._handler.completed(self.stream_id)

    def _completed(self) -> None:
        """Let go of a request whose application has answered: it is not told of a disconnect."""
        self.stream = None
        self.deadline = NEVER
        self.writable()
        self._handler.completed(self.stream_id)

    def _acknowledge(self) -> None:
        """Open the window, unless what came waits here."""
        if self._held or self._resting:
            return
        amount, self._unacknowledged = self._unacknowledged, 0
        if amount:
            self._handler.engine.acknowledge(self.stream_id, amount)
