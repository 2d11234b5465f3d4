"""HTTP/2, the server's side of one connection (RFC 9113, RFC 8441): bytes in, events out, and back.

An engine (:mod:`channels.protocols.http2.engines`) keeps the states of streams, HPACK and the windows of flow
control. This module gives it one frame at a time, speaks the vocabulary of :mod:`channels.protocols.events`,
and does what is not an engine's business: floods, requests that concern one stream only, sending more than a
window takes, a GOAWAY after which open streams are completed.

zttp reads HTTP/2 too, and fast. It acknowledges a body before anybody has read it, so that a slow application
could not slow down its peer, and takes no limits: this module cannot be built on it.

More than 400 lines, as one table says what each event of an engine means.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from h2.errors import ErrorCodes

from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    Event,
    Fact,
    Headers,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http.semantics import tokens
from channels.protocols.http.underscores import has_underscores, left_out, without_underscores
from channels.protocols.http2.engine import (
    DataReceived,
    EngineEvent,
    FieldsReceived,
    HTTP2Limits,
    PingAnswered,
    StreamReset,
    TrailersReceived,
    WindowOpened,
)
from channels.protocols.http2.engines import http2_engine
from channels.protocols.http2.frames import (
    DATA,
    GOAWAY,
    GOAWAY_SIZE,
    ConnectionFault,
    FloodGuard,
    FrameSplitter,
    RawFrame,
)
from channels.protocols.http2.response import ResponseWriter
from channels.protocols.http2.semantics import (
    MalformedRequest,
    header_list_size,
    judge_request,
    judge_trailing_fields,
)
from channels.protocols.http2.stream import Stream

__all__ = ["HTTP2Connection", "HTTP2Limits", "upgrade_to_http2"]

_DEFAULTS = HTTP2Limits()
# Frames with a body's bytes that may wait for the application: a window full of single bytes would take
# many times its size. A window full of frames of a usual size is a few dozen.
_MAX_UNREAD = 8192
# A DATA frame of fewer bytes costs more than it brings; a body may have a few of them for nothing.
_SMALL_DATA, _FREE_SMALL_DATA = 64, 8
# Verdicts on lists of fields: as many as the decoder remembers lists.
_MAX_VERDICTS = 16
# A verdict on a list of fields: the method, target, headers, protocol and scheme of the request.
_Verdict: TypeAlias = tuple[Headers, str, bytes, Headers, bytes, bytes]
# In a GOAWAY: no stream is refused yet (RFC 9113 6.8).
_ANY_STREAM = 2**31 - 1
# The payload of the PING whose answer shows that the peer has read that GOAWAY.
_FAREWELL = b"farewell"


class HTTP2Connection(ResponseWriter):
    """An HTTP/2 connection as the server sees it.

    Feed it with ``receive_data``, take events with ``next_event`` until there is none, write with the
    ``send_*`` methods, and put ``data_to_send()`` on the wire after each: much of it is said by itself. Call
    ``acknowledge`` when the application has taken a body's bytes, or its peer will send no more, and
    ``start_window`` at regular times, once a second or so.

    Args:
        limits: what a peer may make us hold.
        upgraded: the HTTP/1.1 request that was answered 101; see :func:`upgrade_to_http2`.
        engine: who reads the frames, "native" or "h2"; None for the default.

    Attributes:
        frames_left: how many frames ``next_event`` may still read; what is left stays in the buffer. Whoever
            feeds it sets it.
        facts: what is to be counted; whoever feeds it takes them.

    Raises:
        ValueError: the request of the upgrade carries settings that are none, or there is no such engine.
    """

    __slots__ = (
        "_abandoned",
        "_announced",
        "_cutter",
        "_eof_untold",
        "_last_stream",
        "_limits",
        "_over",
        "_peer_leaves",
        "_verdicts",
        "frames_left",
    )

    def __init__(
        self,
        limits: HTTP2Limits = _DEFAULTS,
        *,
        upgraded: RequestReceived | None = None,
        engine: str | None = None,
    ) -> None:
        self._limits = limits
        self._abandoned = 0
        self._cutter = FrameSplitter(limits.max_header_bytes)
        self.frames_left = sys.maxsize
        self._last_stream = 0
        self._verdicts: dict[int, _Verdict] = {}
        self._announced = self._eof_untold = self._over = self._peer_leaves = False
        settings = dict(upgraded.headers).get(b"http2-settings", b"") if upgraded is not None else None
        guard = FloodGuard(limits.max_control_frames, limits.max_resets, limits.max_small_data)
        super().__init__(http2_engine(engine)(limits, settings), guard, limits.max_pending)
        if upgraded is not None:
            self._begin_stream(_as_http2(upgraded))

    @property
    def buffered(self) -> int:
        """Bytes received of frames that were not read yet."""
        return self._cutter.buffered

    @property
    def open_streams(self) -> int:
        """Requests that are not completely received and answered."""
        return len(self._streams)

    def receive_data(self, data: bytes) -> None:
        """Take what the peer sent; b"" when it will send no more."""
        if not data:
            self._eof_untold = True
        elif not self._over:
            self._cutter.receive_data(data)

    def discard(self) -> None:
        """Forget what was received and not read yet: the connection is lost."""
        self._cutter.clear()

    def next_event(self) -> Event | None:
        """Return what the peer said next, or None if more must come first, or ``frames_left`` is used up.

        After ProtocolViolated and ConnectionClosed nothing more comes; the first one has its GOAWAY in
        ``data_to_send()``, and is for the log: no response carries its status.
        """
        try:
            while not self._events and not self._over:
                if self.frames_left <= 0:
                    return None
                # A peer that has sent GOAWAY and waits for no response is gone, whatever else it sent.
                frame = None if self._peer_leaves and not self._streams else self._cutter.next_frame()
                if frame is None:
                    break
                self.frames_left -= 1
                self._guard.frame_received(frame)
                self._receive_frame(frame)
        except ConnectionFault as fault:
            self._fail(fault)
        if self._events:
            return self._events.popleft()
        return self._tell_eof() if self._eof_untold and not self._over else self._tell_end()

    def acknowledge(self, stream_id: int, amount: int) -> None:
        """Let the peer send as much again: the application has taken ``amount`` bytes of a body.

        What was not acknowledged when a stream ends is, by itself.
        """
        stream = self._streams.get(stream_id)
        if stream is not None and (amount := min(amount, stream.unacknowledged)) > 0:
            stream.unacknowledged -= amount
            if not stream.unacknowledged:
                stream.unread = 0
            self._engine.acknowledge(stream_id, amount)

    def occupy(self, streams: int) -> None:
        """Let streams that are over keep their places: somebody still works for them.

        Args:
            streams: how many more; fewer if it is negative.
        """
        self._abandoned += streams

    def start_window(self) -> None:
        """Begin a new window of time for what is counted against floods."""
        self._guard.start_window()

    @property
    def draining(self) -> bool:
        """Whether no more requests are taken."""
        return self._draining

    def announce_shutdown(self) -> None:
        """Ask the peer to send no more requests on this connection; what is on its way is still taken.

        It is asked to answer at once. When it has, all that it sent before it knew is here, and
        ``shutdown`` happens by itself. Call ``shutdown`` if that takes too long. See RFC 9113 section 6.8.
        """
        if not self._announced and not self._draining and not self._over:
            self._announced = True
            self._write_goaway(ErrorCodes.NO_ERROR, _ANY_STREAM)
            self._engine.ping(_FAREWELL)

    def shutdown(self) -> None:
        """Say that no more requests are taken (GOAWAY); those that are there are completed.

        A request that comes all the same is refused so that the peer may repeat it elsewhere. When
        ``open_streams`` is 0 the connection may be closed.
        """
        if not self._draining and not self._over:
            self._draining = True
            self._write_goaway(ErrorCodes.NO_ERROR, self._last_stream)

    def refuse(self, stream_id: int) -> None:
        """Refuse a request that nobody has begun to work for, so that the peer may repeat it later."""
        self.facts += (Fact("protocols.refused_stream", 1, {"draining": False}),)
        self.reset(stream_id, ErrorCodes.REFUSED_STREAM)
        try:
            self._guard.stream_reset()
        except ConnectionFault as fault:
            self._fail(fault)

    def _begin_stream(self, request: RequestReceived) -> None:
        self._last_stream = request.stream_id
        self._open(request)
        self._events.append(request)

    def _receive_frame(self, frame: RawFrame) -> None:
        if frame.kind == GOAWAY and not frame.stream_id and len(frame.data) >= GOAWAY_SIZE:
            # The engine would take it for the end of everything; the peer still wants its answers.
            self._peer_leaves = True
            return
        events = self._engine.receive_frame(frame)
        if not events and frame.kind == DATA:
            self._guard.small_data()  # on a stream that is over
        for event in events:
            _ACTIONS[type(event)](self, event)

    def _fail(self, fault: ConnectionFault) -> None:
        """Answer a peer that broke the protocol with GOAWAY, and forget its streams."""
        self._over = True
        self._write_goaway(fault.code, self._last_stream)
        self._streams.clear()
        self._blocked.clear()
        self._cutter.clear()
        self._events.append(ProtocolViolated(400, fault.reason))

    def _tell_eof(self) -> Event:
        """Tell the end of each stream, then of the connection: the peer is gone."""
        self._over = True
        self._events.extend(StreamClosed(stream_id) for stream_id in self._streams)
        self._events.append(ConnectionClosed())
        self._streams.clear()
        self._blocked.clear()
        return self._events.popleft()

    def _tell_end(self) -> Event | None:
        """Tell the end of a peer that has sent GOAWAY, once its last stream is over."""
        if self._peer_leaves and not self._streams and not self._over:
            self._over = True
            return ConnectionClosed()
        return None

    def _write_goaway(self, code: int, last_stream: int) -> None:
        payload = last_stream.to_bytes(4, "big") + code.to_bytes(4, "big")
        self._write(b"\0\0\x08\x07\0\0\0\0\0" + payload)

    # What the engine tells

    def _request_received(self, event: FieldsReceived) -> None:
        stream_id = event.stream_id
        if self._draining or len(self._streams) + self._abandoned >= self._limits.max_streams:
            self.facts += (Fact("protocols.refused_stream", 1, {"draining": self._draining}),)
            self._reset_peer(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._last_stream = stream_id
        try:
            self._begin_stream(self._judge(stream_id, event.fields, event.ended))
        except MalformedMessage as error:
            self.facts += (
                Fact("protocols.refused_request", 1, {"status": error.status, "reason": error.reason}),
            )
            self._engine.send_headers(stream_id, [(b":status", b"%d" % error.status)], end=True)
            if not event.ended:
                self._reset_peer(stream_id, ErrorCodes.NO_ERROR)
        except MalformedRequest as error:
            self.facts += (Fact("protocols.malformed_request", 1, {"reason": error.reason}),)
            self._reset_peer(stream_id, ErrorCodes.PROTOCOL_ERROR)

    def _judge(self, stream_id: int, fields: Headers, ended: bool) -> RequestReceived:
        # The same list again: the engine has looked it up, and it means what it meant.
        known = self._verdicts.get(id(fields)) if ended else None
        if known is None:
            request = self._judge_unknown(stream_id, fields, ended)
            if has_underscores(request.headers):
                if not self._limits.underscores:
                    headers, request.headers = request.headers, without_underscores(request.headers)
                    self.facts += (left_out(headers, request.headers),)
            elif ended:
                self._remember(fields, request)
            return request
        _, method, target, headers, upgrade, scheme = known
        # A copy, as an application owns the headers of its scope.
        return RequestReceived(stream_id, method, target, headers.copy(), "2", True, False, upgrade, scheme)

    def _remember(self, fields: Headers, request: RequestReceived) -> None:
        """Keep a verdict, and with it the list that it is about, so that no other can have its place."""
        if len(self._verdicts) >= _MAX_VERDICTS:
            self._verdicts.clear()
        verdict = request.method, request.target, request.headers.copy(), request.upgrade, request.scheme
        self._verdicts[id(fields)] = fields, *verdict

    def _judge_unknown(self, stream_id: int, fields: Headers, ended: bool) -> RequestReceived:
        limits = self._limits
        if len(fields) > limits.max_headers + 5:  # the pseudo-header fields beside them
            raise MalformedMessage(431, f"the request has more than {limits.max_headers} fields")
        if header_list_size(fields) > limits.max_header_bytes:
            raise MalformedMessage(431, f"the fields have more than {limits.max_header_bytes} bytes")
        return judge_request(stream_id, fields, ended, limits.max_target)

    def _data_received(self, event: DataReceived) -> None:
        stream_id, data = event.stream_id, event.data
        stream = self._streams[stream_id]  # the engine gives back itself what comes behind a reset
        stream.unacknowledged += len(data)
        if event.size > len(data):  # padding
            self._engine.acknowledge(stream_id, event.size - len(data))
        if len(data) < _SMALL_DATA and not event.ended and not stream.tunnel:
            stream.small_data += 1
            if stream.small_data > _FREE_SMALL_DATA:
                self._guard.small_data()
        if data:
            self._body_received(stream_id, stream, data)
        elif event.size and not event.ended:
            self._guard.empty_frame()
        if event.ended and stream_id in self._streams:
            self._events.append(BodyEnded(stream_id))
            self._end_request(stream_id, stream)

    def _body_received(self, stream_id: int, stream: Stream, data: bytes) -> None:
        stream.unread += 1
        self._events.append(BodyReceived(stream_id, data))
        if stream.unread > _MAX_UNREAD:
            self.facts += (Fact("protocols.tiny_frames"),)
            self._give_up(stream_id, ErrorCodes.ENHANCE_YOUR_CALM)

    def _trailers_received(self, event: TrailersReceived) -> None:
        stream = self._streams[event.stream_id]
        try:
            trailers = judge_trailing_fields(event.fields)
        except MalformedRequest as error:
            self.facts += (Fact("protocols.malformed_request", 1, {"reason": error.reason}),)
            self._close(event.stream_id)
            self._reset_peer(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
            self._events.append(StreamClosed(event.stream_id))
        else:
            self._events.append(BodyEnded(event.stream_id, trailers))
            self._end_request(event.stream_id, stream)

    def _stream_reset(self, event: StreamReset) -> None:
        if event.stream_id in self._streams:
            self._close(event.stream_id)
            self._events.append(StreamClosed(event.stream_id))
        if not event.by_peer:  # for something the peer did
            self._guard.stream_reset()

    def _window_opened(self, event: WindowOpened) -> None:
        if self._blocked:
            self._flush_blocked()

    def _ping_answered(self, event: PingAnswered) -> None:
        if self._announced and event.data == _FAREWELL:
            self.shutdown()

    def _reset_peer(self, stream_id: int, code: ErrorCodes) -> None:
        self._guard.stream_reset()
        self._engine.reset_stream(stream_id, code)


_ACTIONS: dict[type[EngineEvent], Callable[[HTTP2Connection, Any], None]] = {
    FieldsReceived: HTTP2Connection._request_received,
    DataReceived: HTTP2Connection._data_received,
    TrailersReceived: HTTP2Connection._trailers_received,
    StreamReset: HTTP2Connection._stream_reset,
    PingAnswered: HTTP2Connection._ping_answered,
    WindowOpened: HTTP2Connection._window_opened,
}
# They speak of the HTTP/1.1 connection that is no more.
_UPGRADE_FIELDS = frozenset({b"connection", b"upgrade", b"http2-settings"})


def _as_http2(request: RequestReceived) -> RequestReceived:
    headers = [field for field in request.headers if field[0] not in _UPGRADE_FIELDS]
    return replace(request, stream_id=1, http_version="2", upgrade=b"", scheme=b"http", headers=headers)


def upgrade_to_http2(
    request: RequestReceived, limits: HTTP2Limits = _DEFAULTS, engine: str | None = None
) -> HTTP2Connection | None:
    """Go on with HTTP/2 after an HTTP/1.1 request that asks for it in clear text.

    Answer it with 101, ``Connection: Upgrade`` and ``Upgrade: h2c``, then put ``data_to_send()`` of the new
    connection on the wire and give it what the peer sent behind its request. Its first event is the request,
    as stream 1.

    Args:
        request: as :mod:`channels.protocols.http1.connection` told of it, without a body.
        limits: what the peer may make us hold.
        engine: who reads the frames; see :class:`HTTP2Connection`.

    Returns:
        The connection, or None if the request does not ask for HTTP/2 in a way that may be granted: it is
        served as HTTP/1.1 then.

    See RFC 7540 section 3.2; RFC 9113 does not ask for this any more.
    """
    if request.upgrade != b"h2c" or not request.ended:
        return None
    settings = [value for name, value in request.headers if name == b"http2-settings"]
    options = tokens(b",".join(value for name, value in request.headers if name == b"connection"))
    if len(settings) != 1 or b"http2-settings" not in options:
        return None
    try:
        return HTTP2Connection(limits, upgraded=request, engine=engine)
    except ValueError:
        return None
