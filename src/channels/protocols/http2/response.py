"""The writing half of an HTTP/2 connection: responses become frames, as fast as the peer's windows allow."""

from __future__ import annotations

from collections import deque

from h2.errors import ErrorCodes

from channels.protocols.events import Event, Fact, Headers, RequestReceived, StreamClosed, StreamWritable
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http.response_rules import Phase, check_informational, too_short
from channels.protocols.http2.engine import MAX_WINDOW, Engine
from channels.protocols.http2.frames import FloodGuard
from channels.protocols.http2.semantics import outgoing_fields, outgoing_of
from channels.protocols.http2.stream import Stream


class ResponseWriter:
    """Writes the responses of one connection, all at the same time.

    To a stream that is over, because the peer reset it or the connection ended, everything that is sent
    goes nowhere and is counted as "protocols.late_frame".
    """

    __slots__ = (
        "_blocked",
        "_draining",
        "_engine",
        "_events",
        "_guard",
        "_held",
        "_max_pending",
        "_output",
        "_streams",
        "facts",
    )

    def __init__(self, engine: Engine, guard: FloodGuard, max_pending: int) -> None:
        self._engine = engine
        self._guard = guard
        self._events: deque[Event] = deque()
        self.facts: tuple[Fact, ...] = ()
        self._max_pending = max_pending
        self._streams: dict[int, Stream] = {}
        self._blocked: dict[int, Stream] = {}
        self._output: list[bytes] = []
        self._draining = self._held = False

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        data = self._engine.data_to_send()
        if self._output:
            self._output.append(data)
            data = b"".join(self._output)
            self._output = []
        return data

    def writable(self, stream_id: int) -> int:
        """How many bytes of a body the peer takes now; 0 also if the stream is over."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else max(0, self._window(stream_id) - stream.pending)

    def pending(self, stream_id: int) -> int:
        """How many bytes of a response wait for the peer; if they do not change, it stalls."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.pending

    @property
    def blocked(self) -> list[int]:
        """The streams on which something waits for the peer."""
        return list(self._blocked)

    def hold(self) -> None:
        """Let bodies wait with their streams until :meth:`release`: who carries our bytes takes no more."""
        self._held = True

    def release(self, amount: int) -> bool:
        """Write what waits, one frame of each stream in turn, until there are ``amount`` bytes of it.

        Returns:
            Whether nothing is left that the peer would take; bodies do not wait any more then.
        """
        self._held = False
        left = self._take_turns(amount)
        if left:
            self._held = True
            self._blocked = {**left, **self._blocked}  # whose turn it is comes first the next time
        return not left

    def send_informational(self, stream_id: int, status: int, headers: Headers | None = None) -> None:
        """Write an interim response, as 100 (Continue) or 103 (Early Hints).

        Args:
            stream_id: which stream.
            status: 100 or 102 to 199.
            headers: the fields of this response.

        Raises:
            ValueError: the status is none of these, or a header cannot be sent.
            TypeError: a header is not a pair of bytes.
            RuntimeError: the response has begun already.
        """
        stream = self._living(stream_id)
        if stream is None:
            return
        if stream.phase is not Phase.HEAD:
            raise stream.out_of_turn("an informational response")
        check_informational(status)
        self._send_headers(stream_id, status, outgoing_fields(headers or []), end=False)

    def send_response(self, stream_id: int, status: int, headers: Headers, *, end: bool = False) -> None:
        """Write the head of a response. A given Content-Length is held to.

        Args:
            stream_id: which stream.
            status: 200 to 999.
            headers: (name, value) pairs of bytes; those that speak of an HTTP/1.1 connection are left out.
            end: there is no body.

        Raises:
            ValueError: the status is out of range, or a header cannot be sent; the message names it.
            TypeError: a header is not a pair of bytes.
            RuntimeError: the response has begun already.
        """
        stream = self._living(stream_id)
        if stream is None:
            return
        fields = stream.begin(status, outgoing_fields(headers))
        short = stream.end([]) if end else 0
        self._send_headers(stream_id, status, fields, end=end and not short)
        if end:
            self._complete(stream_id, stream, short)

    def send_whole(
        self, stream_id: int, status: int, fields: ResponseFields, own: ResponseFields, data: bytes
    ) -> bool:
        """Write a response at once, if the peer takes all of it now and nothing has to be settled first.

        Args:
            stream_id: which stream.
            status: 200 to 999.
            fields: what the application says; a length that it says is that of the body.
            own: what the server adds.
            data: the whole body.

        Returns:
            False: nothing has been done; go the way of :meth:`send_response`.
        """
        stream, size = self._streams.get(stream_id), len(data)
        if stream is None or not 0 < size <= min(self._window(stream_id), self._engine.max_frame_size):
            return False
        if not stream.whole(status):
            return False
        length = (b"content-length", b"%d" % size)
        self._send_headers(stream_id, status, [*outgoing_of[fields], *outgoing_of[own], length], end=False)
        self._engine.send_data(stream_id, data, end=True)
        self._guard.data_sent()
        self._complete(stream_id, stream)
        return True

    def send_data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Write a part of a body; what the peer does not take yet waits here.

        Where the response has no body (HEAD, 204, 304) it goes nowhere.

        Args:
            stream_id: which stream.
            data: any number of bytes.
            end: it is the last part.

        Raises:
            ValueError: more than the Content-Length promised, nothing is written then; or less at the end.
            RuntimeError: there was no head, or the response is complete.
        """
        stream = self._living(stream_id)
        if stream is None:
            return
        if stream.held > self._max_pending:
            self.facts += (Fact("protocols.slow_reader", 1, {"pending": stream.pending}),)
            self._give_up(stream_id, ErrorCodes.CANCEL)
            return
        if end and self._send_whole(stream_id, stream, data):
            return
        stream.put(data)
        if end:
            self._end(stream_id, stream, [])
        else:
            self._flush(stream_id, stream)

    def _send_whole(self, stream_id: int, stream: Stream, data: bytes) -> bool:
        """Send all that is left of a response in one frame, if that is all there is to it: it mostly is."""
        size = len(data)
        if not 0 < size <= self._window(stream_id) or size > self._engine.max_frame_size:
            return False
        if not stream.ends_with(size):
            return False
        self._engine.send_data(stream_id, data, end=True)
        self._guard.data_sent()
        self._complete(stream_id, stream)
        return True

    def end_stream(self, stream_id: int, trailers: Headers | None = None) -> None:
        """Complete a response.

        A request that is not complete by then is not waited for: its stream is reset with NO_ERROR, but
        for a WebSocket, which ends when both sides have said so.

        Args:
            stream_id: which stream.
            trailers: fields after the body; a response without a body drops them, counted.

        Raises:
            ValueError: less than the Content-Length promised: the stream was reset, so that the peer
                notices; or a trailer cannot be sent.
            TypeError: a trailer is not a pair of bytes.
            RuntimeError: there was no head, or the response is complete.
        """
        stream = self._living(stream_id)
        if stream is not None:
            self._end(stream_id, stream, outgoing_fields(trailers or []))

    def reset(self, stream_id: int, code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        """Break a stream off.

        Args:
            stream_id: which stream.
            code: why (RFC 9113 section 7); 2 is INTERNAL_ERROR, 8 is CANCEL.
        """
        if self._living(stream_id) is not None:
            self._close(stream_id)
            self._engine.reset_stream(stream_id, code)

    def _give_up(self, stream_id: int, code: int) -> None:
        """Break a stream off for something that the peer did, and tell of it."""
        self.reset(stream_id, code)
        self._events.append(StreamClosed(stream_id))

    def _write(self, data: bytes) -> None:
        """Write a frame that the engine does not know of, behind all that it has written."""
        self._output += (self._engine.data_to_send(), data)

    def _living(self, stream_id: int) -> Stream | None:
        stream = self._streams.get(stream_id)
        if stream is None:
            self.facts += (Fact("protocols.late_frame"),)
        return stream

    def _open(self, request: RequestReceived) -> None:
        self._streams[request.stream_id] = Stream(request)

    def _close(self, stream_id: int) -> None:
        """Forget a stream; what its body took of the connection's window is given back to the others."""
        stream = self._streams.pop(stream_id)
        self._blocked.pop(stream_id, None)
        if stream.unacknowledged:
            self._engine.acknowledge(stream_id, stream.unacknowledged)

    def _end_request(self, stream_id: int, stream: Stream) -> None:
        stream.request_ended = True
        if stream.finished:
            self._close(stream_id)

    def _window(self, stream_id: int) -> int:
        return 0 if self._held else self._engine.window(stream_id)

    def _send_headers(self, stream_id: int, status: int, fields: Headers, *, end: bool) -> None:
        self._engine.send_headers(stream_id, [(b":status", b"%d" % status), *fields], end=end)

    def _end(self, stream_id: int, stream: Stream, trailers: Headers) -> None:
        if trailers and stream.bodyless:
            self.facts += (Fact("protocols.trailers_dropped", len(trailers)),)
            trailers = []
        short = stream.end(trailers)
        if short:
            self._complete(stream_id, stream, short)
        self._flush(stream_id, stream)

    def _complete(self, stream_id: int, stream: Stream, short: int = 0) -> None:
        """Note that all of the response was written, or that the rest of it never will be."""
        if short:
            self.reset(stream_id)
            raise too_short(short)
        stream.finished = True
        self._blocked.pop(stream_id, None)
        if stream.request_ended:
            self._close(stream_id)
        elif not stream.tunnel:
            self.reset(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113 8.1

    def _flush(self, stream_id: int, stream: Stream) -> None:
        """Send what waits on a stream, as far as the peer takes it."""
        while stream.pending and self._send_part(stream_id, stream):
            pass
        self._settle(stream_id, stream)

    def _flush_blocked(self) -> None:
        """Send what waits on all streams, as far as the peer takes it."""
        if not self._held:
            self._take_turns(MAX_WINDOW)

    def _take_turns(self, amount: int) -> dict[int, Stream]:
        """Send what waits, in turns of one frame, and tell who may go on; returns whose turn it is then."""
        turns = deque(self._blocked.items())
        while turns and amount > 0:
            stream_id, stream = turns.popleft()
            amount -= stream.pending
            if self._send_part(stream_id, stream) and stream.pending:
                turns.append((stream_id, stream))
            elif not stream.pending:
                self._settle(stream_id, stream)
            amount += stream.pending
        return dict(turns)

    def _settle(self, stream_id: int, stream: Stream) -> None:
        """Take note of whether something waits; write the end when nothing does."""
        if stream.pending:
            self._blocked[stream_id] = stream
        elif stream.phase is not Phase.ENDED:
            if self._blocked.pop(stream_id, None) is not None:
                self._events.append(StreamWritable(stream_id))
        else:
            if not stream.finished:
                self._send_end(stream_id, stream)
            self._complete(stream_id, stream)

    def _send_end(self, stream_id: int, stream: Stream) -> None:
        if stream.trailers:
            self._engine.send_headers(stream_id, stream.trailers, end=True)
        else:
            self._engine.send_data(stream_id, b"", end=True)

    def _send_part(self, stream_id: int, stream: Stream) -> bool:
        """Send one frame of what waits; False if the peer takes none."""
        size = min(self._window(stream_id), self._engine.max_frame_size)
        if size <= 0:
            return False
        last = size >= stream.pending and stream.phase is Phase.ENDED and not stream.trailers
        self._engine.send_data(stream_id, stream.take(size), end=last)
        stream.finished = last
        self._guard.data_sent()
        return True
