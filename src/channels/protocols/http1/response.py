"""The writing half of an HTTP/1.1 connection: a response becomes bytes, and its framing is ours.

Neither engine writes. Both have their own mind about framing, and a head is a join of bytes that
were checked; what takes care is what may be promised to which peer, and that is the same for both.
"""

from __future__ import annotations

import enum
from http import HTTPStatus

from channels.protocols.events import Fact, Headers
from channels.protocols.http.fields import ResponseFields, lowercase
from channels.protocols.http.response_rules import (
    BODYLESS,
    LENGTHLESS,
    Phase,
    body_left,
    check_informational,
    check_length,
    out_of_turn,
    too_short,
)
from channels.protocols.http.semantics import tokens
from channels.protocols.http1.header_lines import line_block, lines_of, serialize

_SETTLED_HERE = frozenset({b"transfer-encoding", b"connection"})
_FRAMING = frozenset({b"transfer-encoding", b"content-length"})
_NOTHING = ResponseFields()


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""  # RFC 9112 section 4: the phrase may be empty, the space before it stays
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_STATUS_LINES = {status.value: _status_line(status) for status in HTTPStatus}
#: What a 101 says of the switch to WebSocket (RFC 6455 section 4.2.2).
_TO_WEBSOCKET = b"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: %b\r\n"


class _Framing(enum.Enum):
    """How the peer learns where the body ends (RFC 9112 6.3)."""

    NONE = enum.auto()
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    UNTIL_CLOSE = enum.auto()


# Members as globals: each use of one through its class is a lookup.
_HEAD, _BODY, _ENDED = Phase
_NONE, _LENGTH, _CHUNKED, _UNTIL_CLOSE = _Framing


class ResponseWriter:
    """Writes the responses of one connection, one after the other.

    Until a request was read it writes what is fit for anybody: an answer after which the connection ends.
    """

    __slots__ = (
        "_framing",
        "_head_only",
        "_modern",
        "_output",
        "_persistent",
        "_phase",
        "_remaining",
        "facts",
    )

    def __init__(self) -> None:
        self._output: list[bytes] = []
        self.facts: tuple[Fact, ...] = ()
        self._expect_response()

    def _expect_response(self) -> None:
        """Prepare for the next answer; what the request says of it, its reader sets."""
        self._phase = _HEAD
        self._framing = _NONE
        self._remaining = 0
        self._head_only = False  #: the request is a HEAD
        self._modern = True  #: the peer speaks HTTP/1.1
        self._persistent = False  #: the peer lets the connection live on

    @property
    def response_ended(self) -> bool:
        """Whether the response to the current request is complete."""
        return self._phase is _ENDED

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        output = self._output
        if not output:
            return b""
        self._output = []
        return output[0] if len(output) == 1 else b"".join(output)

    def send_informational(self, status: int, headers: Headers | None = None) -> None:
        """Write an interim response, as 100 (Continue) or 103 (Early Hints).

        HTTP/1.0 peers know no interim responses and get none (RFC 9110 15.2).

        Args:
            status: 100 to 199, but not 101, which is final here.
            headers: the fields of this response.

        Raises:
            ValueError: the status is none of these, or a header cannot be sent.
            TypeError: a header is not a pair of bytes.
            RuntimeError: the response has begun already.
        """
        if self._phase is not _HEAD:
            raise self._out_of_turn("an informational response")
        check_informational(status)
        block, _ = serialize(headers or [])
        if self._modern:
            self._output.append(b"%b%b\r\n" % (_STATUS_LINES.get(status) or _status_line(status), block))

    def send_response(self, status: int, headers: Headers) -> None:
        """Write the head of the response and decide its framing.

        A given Content-Length is kept. Without one the body is sent in chunks, or, to a peer that speaks
        HTTP/1.0, until the connection is closed. Transfer-Encoding is ours to say: "chunked" is a mere wish.

        Args:
            status: 200 to 999, or 101 (see also :meth:`switch_protocols`).
            headers: (name, value) pairs of bytes.

        Raises:
            ValueError: the status is out of range, or a header cannot be sent; the message names it.
            TypeError: a header is not a pair of bytes.
            RuntimeError: the response has begun already.

        See RFC 9112 section 6.
        """
        if status == 101:
            self.switch_protocols(headers, _NOTHING)
            return
        if self._phase is not _HEAD:
            raise self._out_of_turn("a response")
        if not 200 <= status <= 999:
            raise ValueError(f"A response status is 101 or 200 to 999, not {status!r}.")
        block, fields = serialize(headers)
        if len(fields) != len(headers) or not _SETTLED_HERE.isdisjoint(fields) or status in BODYLESS:
            block = self._settle(status, headers, fields)
        self._choose_framing(status, fields.get(b"content-length"))
        if self._framing is _CHUNKED:
            block += b"transfer-encoding: chunked\r\n"
        if not (self._persistent and self._modern):
            # Say what the version alone does not say (RFC 9112 9.3).
            block += b"connection: keep-alive\r\n" if self._persistent else b"connection: close\r\n"
        self._output.append(b"%b%b\r\n" % (_STATUS_LINES.get(status) or _status_line(status), block))
        self._phase = _BODY

    def switch_protocols(self, headers: Headers, own: ResponseFields, accept: bytes = b"") -> None:
        """Write a 101, after which this connection speaks another protocol.

        Args:
            headers: the fields; those about a body are left out.
            own: what the server adds; its lines are kept, so it is to be one of few.
            accept: the value of Sec-WebSocket-Accept, where the other protocol is WebSocket; the fields that
                say so are written too then.

        Raises:
            ValueError, TypeError, RuntimeError: as :meth:`send_response`.
        """
        if self._phase is not _HEAD:
            raise self._out_of_turn("a response")
        block = line_block(headers) if headers else b""
        if headers and not _FRAMING.isdisjoint([lowercase[name] for name, _ in headers]):
            _, fields = serialize(headers)
            block = self._settle(101, headers, fields)
            self._choose_framing(101, fields.get(b"content-length"))
        switch = _TO_WEBSOCKET % accept if accept else b""
        self._output.append(b"%b%b%b%b\r\n" % (_STATUS_LINES[101], switch, block, lines_of[own]))
        self._persistent = False
        self._phase = _BODY

    def send_whole(
        self, status: int, fields: ResponseFields, own: ResponseFields, data: bytes
    ) -> bytes | None:
        """Write a response at once, if nothing about it has to be settled first.

        Args:
            status: 200 to 999.
            fields: what the application says.
            own: what the server adds.
            data: the whole body.

        Returns:
            What is to be written to the peer. None: nothing has been done, as the peer, the status or the
            length asks for a closer look; go the way of :meth:`send_response`.
        """
        line = _STATUS_LINES.get(status)
        # Of known length it says nothing about the connection; it goes out first.
        plain = self._persistent and self._modern and not self._head_only and not self._output
        if not plain or self._phase is not _HEAD or line is None or status in BODYLESS:
            return None
        size = len(data)
        if fields.length is None:
            head = b"%b%bcontent-length: %d\r\n%b\r\n%b" % (line, lines_of[fields], size, lines_of[own], data)
        elif fields.length == size:
            head = b"%b%b%b\r\n%b" % (line, lines_of[fields], lines_of[own], data)
        else:
            return None
        self._phase = _ENDED
        return head

    def send_data(self, data: bytes) -> None:
        """Write a part of the body. Where the response has no body (HEAD, 204, 304) it goes nowhere.

        Raises:
            ValueError: more than the Content-Length promised; nothing of ``data`` is written.
            RuntimeError: there was no head, or the response is complete.
        """
        if self._phase is not _BODY:
            raise self._out_of_turn("a body")
        if not data or self._framing is _NONE:
            return
        if self._framing is _CHUNKED:
            self._output += (b"%x\r\n" % len(data), data, b"\r\n")
            return
        if self._framing is _LENGTH:
            self._remaining = body_left(self._remaining, len(data))
        self._output.append(data)

    def begin_data(self, size: int) -> bytes | None:
        """Write what stands before a part of the body that somebody else puts on the wire.

        Args:
            size: how many bytes it has, at least one.

        Returns:
            What must stand behind it, often nothing; None where the response has no body (HEAD, 204, 304).

        Raises:
            ValueError: more than the Content-Length promised.
            RuntimeError: there was no head, or the response is complete.
        """
        if self._phase is not _BODY:
            raise self._out_of_turn("a body")
        if self._framing is _NONE:
            return None
        if self._framing is _CHUNKED:
            self._output.append(b"%x\r\n" % size)
            return b"\r\n"
        if self._framing is _LENGTH:
            self._remaining = body_left(self._remaining, size)
        return b""

    def end_message(self, trailers: Headers | None = None) -> None:
        """Complete the response.

        Args:
            trailers: fields after the body. Only a body in chunks can carry them; elsewhere
                they are dropped and counted as "protocols.trailers_dropped".

        Raises:
            ValueError: less than the Content-Length promised (the response counts as complete, but the
                connection must be closed, so that the peer notices), or a trailer cannot be sent.
            TypeError: a trailer is not a pair of bytes.
            RuntimeError: there was no head, or the response is complete.
        """
        if self._phase is not _BODY:
            raise self._out_of_turn("the end of a response")
        block = serialize(trailers)[0] if trailers else b""
        self._phase = _ENDED
        if self._framing is _CHUNKED:
            self._output.append(b"0\r\n%b\r\n" % block)
        elif trailers:
            self.facts += (Fact("protocols.trailers_dropped", len(trailers)),)
        if self._framing is _LENGTH and self._remaining:
            self._persistent = False
            raise too_short(self._remaining)

    def _out_of_turn(self, what: str) -> RuntimeError:
        return out_of_turn(what, self._phase)

    def _choose_framing(self, status: int, length: bytes | None) -> None:
        if length is not None:
            check_length((length,))
        if self._head_only or status in BODYLESS:
            self._framing = _NONE
        elif length is not None:
            self._framing = _LENGTH
            self._remaining = int(length)
        elif self._modern:
            self._framing = _CHUNKED
        else:
            self._framing = _UNTIL_CLOSE
            self._persistent = False

    def _settle(self, status: int, headers: Headers, fields: dict[bytes, bytes]) -> bytes:
        """Take note of what the application says about framing, and leave out what is not true here."""
        _check_framing_fields(headers, fields)
        unwanted = {b"transfer-encoding"}
        if status in LENGTHLESS:
            unwanted.add(b"content-length")
        if status == 101:
            self._persistent = False  # and "Connection: upgrade" stays
        else:
            unwanted.add(b"connection")  # send_response() says what holds
            if b"close" in tokens(fields.get(b"connection", b"")):
                self._persistent = False
        return serialize(_without(headers, unwanted))[0]


def _check_framing_fields(headers: Headers, fields: dict[bytes, bytes]) -> None:
    coding = fields.get(b"transfer-encoding", b"chunked")
    if coding.lower() != b"chunked":
        raise ValueError(
            f"Transfer-Encoding {coding!r} cannot be sent: the server decides the transfer coding; "
            "name a coding of the content in Content-Encoding."
        )
    check_length({value for name, value in headers if lowercase[name] == b"content-length"})


def _without(headers: Headers, unwanted: set[bytes]) -> Headers:
    """Leave out fields by lowercased name, and every Content-Length but the first."""
    kept: Headers = []
    for name, value in headers:
        lowered = lowercase[name]
        if lowered not in unwanted:
            kept.append((name, value))
        if lowered == b"content-length":
            unwanted.add(lowered)
    return kept
