"""The writing half of an HTTP/1.1 connection: a response becomes bytes, and its framing is ours.

Neither engine writes. Both have their own mind about framing, and a head is a join of bytes that
were checked; what takes care is what may be promised to which peer, and that is the same for both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from http import HTTPStatus

from channels import telemetry
from channels.protocols.events import Headers
from channels.protocols.http1_head import tokens

_TOKEN = bytes(c for c in range(128) if chr(c).isalnum() or c in b"!#$%&'*+-.^_`|~")
_FRAMING_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"connection"})


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""  # RFC 9112 section 4: the phrase may be empty, the space before it stays
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_STATUS_LINES = {status.value: _status_line(status) for status in HTTPStatus}


class _Phase(enum.IntEnum):
    """How far the response to the current request has come."""

    HEAD = 0
    BODY = 1
    ENDED = 2


class _Framing(enum.IntEnum):
    """How the peer learns where the body ends (RFC 9112 6.3)."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    UNTIL_CLOSE = 3


class ResponseWriter:
    """Writes the responses of one connection, one after the other.

    Until a request was read it writes what is fit for anybody: an answer after which the connection ends.
    """

    __slots__ = ("_framing", "_head_only", "_modern", "_output", "_persistent", "_phase", "_remaining")

    def __init__(self) -> None:
        self._output: list[bytes] = []
        self._begin_response("", "1.1", persistent=False)

    def _begin_response(self, method: str, version: str, *, persistent: bool) -> None:
        """Prepare for the answer to a request; ``persistent``: the peer lets the connection live on."""
        self._phase = _Phase.HEAD
        self._framing = _Framing.NONE
        self._remaining = 0
        self._head_only = method == "HEAD"
        self._modern = version == "1.1"
        self._persistent = persistent

    @property
    def response_ended(self) -> bool:
        """Whether the response to the current request is complete."""
        return self._phase is _Phase.ENDED

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
            RuntimeError: the response has begun already.
        """
        self._expect_phase(_Phase.HEAD, "an informational response")
        if not 100 <= status <= 199 or status == 101:
            raise ValueError(f"An informational status is 100 or 102 to 199, not {status!r}.")
        headers = headers or []
        _check(headers)
        if self._modern:
            self._output.append(_serialize(_STATUS_LINES.get(status) or _status_line(status), headers))

    def send_response(self, status: int, headers: Headers) -> None:
        """Write the head of the response and decide its framing.

        A given Content-Length is kept. Without one the body is sent in chunks, or, to a peer that speaks HTTP/1.0,
        until the connection is closed. Transfer-Encoding is ours to say: a "chunked" of the application is a wish.

        Args:
            status: 200 to 999, or 101, after which this connection speaks another protocol.
            headers: (name, value) pairs of bytes.

        Raises:
            ValueError: the status is out of range, or a header cannot be sent; the message names it.
            TypeError: a header is not a pair of bytes.
            RuntimeError: the response has begun already.

        See RFC 9112 section 6.
        """
        self._expect_phase(_Phase.HEAD, "a response")
        if not 200 <= status <= 999 and status != 101:
            raise ValueError(f"A response status is 101 or 200 to 999, not {status!r}.")
        fields = _check(headers)
        if _FRAMING_FIELDS.isdisjoint(fields):
            length = None
        else:
            length = _given_length(headers)
            headers = self._settle_given(status, headers, fields)
        self._framing = self._choose_framing(status, length)
        self._remaining = length or 0
        if self._framing is _Framing.CHUNKED:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        headers = self._announce_persistence(status, headers)
        self._output.append(_serialize(_STATUS_LINES.get(status) or _status_line(status), headers))
        self._phase = _Phase.BODY

    def send_data(self, data: bytes) -> None:
        """Write a part of the body. Where the response has no body (HEAD, 204, 304) it goes nowhere.

        Raises:
            ValueError: more than the Content-Length promised; nothing of ``data`` is written.
            RuntimeError: there was no head, or the response is complete.
        """
        self._expect_phase(_Phase.BODY, "a body")
        if not data or self._framing is _Framing.NONE:
            return
        if self._framing is _Framing.LENGTH:
            self._count_down(len(data))
            self._output.append(data)
        elif self._framing is _Framing.CHUNKED:
            self._output += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            self._output.append(data)

    def end_message(self, trailers: Headers | None = None) -> None:
        """Complete the response.

        Args:
            trailers: fields after the body. Only a body in chunks can carry them; elsewhere
                they are dropped and counted as "protocols.trailers_dropped".

        Raises:
            ValueError: less than the Content-Length promised (the response counts as complete, but the
                connection must be closed, so that the peer notices), or a trailer cannot be sent.
            RuntimeError: there was no head, or the response is complete.
        """
        self._expect_phase(_Phase.BODY, "the end of a response")
        trailers = trailers or []
        _check(trailers)
        self._phase = _Phase.ENDED
        if self._framing is _Framing.CHUNKED:
            self._output.append(_serialize(b"0\r\n", trailers))
        elif trailers:
            telemetry.count("protocols.trailers_dropped", len(trailers))
        if self._framing is _Framing.LENGTH and self._remaining:
            self._persistent = False
            raise ValueError(f"The response body ended {self._remaining} bytes short of its Content-Length.")

    def _expect_phase(self, phase: _Phase, what: str) -> None:
        if self._phase is not phase:
            state = ("no response has begun", "the response has begun", "the response is complete")[
                self._phase
            ]
            raise RuntimeError(f"Cannot send {what} now: {state}.")

    def _count_down(self, size: int) -> None:
        if size > self._remaining:
            raise ValueError(
                f"The response body is longer than its Content-Length: {size} bytes were to be sent "
                f"where {self._remaining} are left."
            )
        self._remaining -= size

    def _settle_given(self, status: int, headers: Headers, fields: dict[bytes, bytes]) -> Headers:
        """Take note of what the application says about framing, and leave out what is not true here."""
        connection = fields.get(b"connection", b"")
        if b"close" in tokens(connection):
            self._persistent = False
        if fields.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise ValueError(
                f"Transfer-Encoding {fields[b'transfer-encoding']!r} cannot be sent: the server decides the "
                "transfer coding; name a coding of the content in Content-Encoding."
            )
        unwanted = {b"transfer-encoding"}
        if status != 101 and not (self._persistent and self._modern):
            unwanted.add(b"connection")  # _announce_persistence says what holds
        if status in (101, 204):
            unwanted.add(b"content-length")  # RFC 9110 8.6
        if unwanted.isdisjoint(fields) and len(fields) == len(headers):
            return headers
        return _without(headers, unwanted)

    def _choose_framing(self, status: int, length: int | None) -> _Framing:
        if self._head_only or status in (101, 204, 304):
            return _Framing.NONE
        if length is not None:
            return _Framing.LENGTH
        return _Framing.CHUNKED if self._modern else _Framing.UNTIL_CLOSE

    def _announce_persistence(self, status: int, headers: Headers) -> Headers:
        """Say whether the connection lives on, where the version alone does not say it (RFC 9112 9.3)."""
        if self._framing is _Framing.UNTIL_CLOSE or status == 101:
            self._persistent = False
        if status == 101:
            return headers
        if not self._persistent:
            return [*headers, (b"connection", b"close")]
        return headers if self._modern else [*headers, (b"connection", b"keep-alive")]


def _serialize(first: bytes, headers: Headers) -> bytes:
    return b"".join((first, *[b"%b: %b\r\n" % field for field in headers], b"\r\n"))


def _check(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Refuse what cannot be sent; return the fields by lowercased name."""
    try:
        fields = {name.lower(): value for name, value in headers}
        names, values = b"".join(fields), b"\n".join([value for _, value in headers])
    except (TypeError, ValueError, AttributeError):
        raise TypeError(f"Headers are (name, value) pairs of bytes, not {headers!r}.") from None
    # One look at all of them; only if something is wrong is it worth finding which.
    if b"" in fields or names.translate(None, _TOKEN):
        bad = next(name for name in fields if not name or name.translate(None, _TOKEN))
        raise ValueError(f"{bad!r} is no header name: use letters, digits and !#$%&'*+-.^_`|~ only.")
    if values.count(b"\n") != max(0, len(list(headers)) - 1) or b"\r" in values or b"\0" in values:
        name, value = next((n, v) for n, v in headers if any(c in v for c in b"\r\n\0"))
        raise ValueError(f"The value {value!r} of header {name!r} cannot be sent: it contains CR, LF or NUL.")
    return fields


def _given_length(headers: Headers) -> int | None:
    """The application's Content-Length; ``_without`` makes one of several equal ones."""
    lengths = {value.strip() for name, value in headers if name.lower() == b"content-length"}
    if not lengths:
        return None
    if len(lengths) > 1:
        raise ValueError(f"The response has several different Content-Length headers: {sorted(lengths)!r}.")
    (length,) = lengths
    if not length.isdigit():
        raise ValueError(f"Content-Length is a number of bytes, not {length!r}.")
    return int(length)


def _without(headers: Headers, unwanted: set[bytes]) -> Headers:
    """Leave out fields by lowercased name, and every Content-Length but the first."""
    kept: Headers = []
    seen = set(unwanted)
    for name, value in headers:
        lowered = name.lower()
        if lowered not in seen:
            kept.append((name, value))
        if lowered == b"content-length":
            seen.add(lowered)
    return kept
