"""One stream of an HTTP/2 connection: how far request and response have come, and what waits to leave."""

from __future__ import annotations

from collections import deque

from channels.protocols.events import Headers, RequestReceived
from channels.protocols.http.response_rules import (
    BODYLESS,
    LENGTHLESS,
    Phase,
    body_left,
    check_length,
    out_of_turn,
)

_PART_OVERHEAD = 200  # bytes


class Stream:
    """What we know of one stream.

    Args:
        request: what opened it.

    Attributes:
        tunnel: it carries a WebSocket, not a request and a response.
        request_ended: the peer sends nothing more on it.
        phase: how far the application's response has come; what of it waits here may be behind.
        finished: all of the response has been written.
        unacknowledged: bytes of the body that the peer may not replace yet.
        unread: frames that brought them.
        small_data: DATA frames with next to nothing in them.
        pending: bytes that wait for the peer to open its window.
        trailers: fields that follow them.
        bodyless: the response has no body, whatever is sent as one.
    """

    __slots__ = (
        "_head_only",
        "_parts",
        "_remaining",
        "bodyless",
        "finished",
        "pending",
        "phase",
        "request_ended",
        "small_data",
        "trailers",
        "tunnel",
        "unacknowledged",
        "unread",
    )

    def __init__(self, request: RequestReceived) -> None:
        self.request_ended = request.ended
        self.tunnel = request.method == "CONNECT"
        self.phase = Phase.HEAD
        self.finished = False
        self.unacknowledged = 0
        self.small_data = 0
        self.unread = 0
        self.pending = 0
        self.trailers: Headers = []
        self.bodyless = False
        self._head_only = request.method == "HEAD"
        self._parts: deque[memoryview] = deque()
        self._remaining: int | None = None

    @property
    def held(self) -> int:
        """Memory that what waits takes, in bytes: many small parts take more than they carry."""
        return self.pending + _PART_OVERHEAD * len(self._parts)

    def begin(self, status: int, headers: Headers) -> Headers:
        """Take note of the head of the response; return its fields without those that are not true.

        Raises:
            ValueError: the status is out of range, or Content-Length is no number or said twice.
            RuntimeError: the response has begun already.
        """
        if self.phase is not Phase.HEAD:
            raise self.out_of_turn("a response")
        if not 200 <= status <= 999:
            raise ValueError(f"A response status over HTTP/2 is 200 to 999, not {status!r}.")
        lengths = {value for name, value in headers if name == b"content-length"}
        check_length(lengths)
        self.tunnel = self.tunnel and status < 300  # else it was refused
        self.bodyless = self._head_only or status in BODYLESS
        if lengths:
            headers = self._note_length(status, headers, lengths.pop())
        self.phase = Phase.BODY
        return headers

    def whole(self, status: int) -> bool:
        """Take note of a response that leaves at once; False if it has begun, or may have no body."""
        if self.phase is not Phase.HEAD or self.tunnel or self._head_only:
            return False
        if status in BODYLESS or not 200 <= status <= 999:
            return False
        self.phase = Phase.ENDED
        return True

    def _note_length(self, status: int, headers: Headers, length: bytes) -> Headers:
        if not self.bodyless:
            self._remaining = int(length)
        rest = [field for field in headers if field[0] != b"content-length"]
        # RFC 9110 8.6: with 204 it must not be sent, nor on the answer that opens a tunnel.
        return rest if status in LENGTHLESS or self.tunnel else [*rest, (b"content-length", length)]

    def put(self, data: bytes) -> None:
        """Take a part of the body.

        Raises:
            ValueError: more than the Content-Length promised; nothing of ``data`` is taken.
            RuntimeError: there was no head, or the response is complete.
        """
        if self.phase is not Phase.BODY:
            raise self.out_of_turn("a body")
        if self.bodyless or not data:
            return
        if self._remaining is not None:
            self._remaining = body_left(self._remaining, len(data))
        self._parts.append(memoryview(data))
        self.pending += len(data)

    def end(self, trailers: Headers) -> int:
        """Note that the body is complete; returns how many bytes it is short of its Content-Length.

        Raises:
            RuntimeError: there was no head, or the response is complete.
        """
        if self.phase is not Phase.BODY:
            raise self.out_of_turn("the end of a response")
        self.phase = Phase.ENDED
        self.trailers = trailers
        return self._remaining or 0

    def ends_with(self, size: int) -> bool:
        """Complete the body with ``size`` bytes that need not wait here; False if they would have to."""
        if self.phase is not Phase.BODY or self.bodyless or self.pending:
            return False
        if self._remaining is not None and self._remaining != size:
            return False
        self.phase = Phase.ENDED
        return True

    def take(self, size: int) -> bytes:
        """Take at most ``size`` of the bytes that wait, from as few parts as need be."""
        taken: list[memoryview] = []
        left = min(size, self.pending)
        self.pending -= left
        while left:
            part = self._parts.popleft()
            if len(part) > left:
                self._parts.appendleft(part[left:])
                part = part[:left]
            taken.append(part)
            left -= len(part)
        return b"".join(taken)

    def out_of_turn(self, what: str) -> RuntimeError:
        """Make the error for what was sent at the wrong time."""
        return out_of_turn(what, self.phase)
