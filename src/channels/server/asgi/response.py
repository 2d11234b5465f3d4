"""What an application says about its response, judged and put on the wire.

HTTP requests and refused WebSocket handshakes answer alike; only their messages are
called differently.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from channels import telemetry
from channels.exceptions import InvalidHeadersError
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http.response_rules import BODYLESS
from channels.protocols.http1.header_lines import plain_fields
from channels.server.interfaces import Exchange
from channels.server.runtime import Runtime
from channels.typing import Headers, Message

logger = logging.getLogger("channels.server")

#: Headers whose values are nobody else's business, and how much of others an error shows.
_SECRET = frozenset({b"set-cookie", b"Set-Cookie", b"authorization", b"proxy-authorization"})
_SHOWN = 100
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
#: What the server says for itself where the application does not.
_OWN = frozenset({b"date", b"server"})
#: Fields that have to be known before the body, or that only a head may say (RFC 9110 section 6.5.1).
_NO_TRAILERS = frozenset(
    b"authorization cache-control connection content-encoding content-length content-range content-type "
    b"expect host keep-alive location proxy-authenticate proxy-connection set-cookie te trailer "
    b"transfer-encoding upgrade vary www-authenticate".split()
)
#: Why no (more) body may come; "" while it may.
_NOT_STARTED = "the response has not been started: send start first"
_SENDING_FILE = "a file is being sent: wait until that send() returns"
_TRAILERS_DUE = "its body is complete: only trailers may follow"
_COMPLETE = "the response is complete"


class Response:
    """The response of one stream.

    The head is kept until the first part of the body, as ASGI demands: until then an
    application that fails can still be answered for.

    Args:
        runtime: what the process shares.
        exchange: where it goes.
        prefix: how its messages begin, ``http.response`` or ``websocket.http.response``.
        head_only: the request was a HEAD.
        label: of the request, for the log.
        trailers: the peer wants trailers (it said ``TE: trailers``); else they are dropped, counted.

    Attributes:
        status: what was or will be sent; 0 before ``start``.
        size: bytes of the body so far.
        on_wire: the head is on its way.
        complete: the whole response is.
        cut: more came than its Content-Length promised, and was left out.
    """

    __slots__ = (
        "_exchange",
        "_head_only",
        "_headers",
        "_label",
        "_left",
        "_no_body",
        "_plain",
        "_prefix",
        "_runtime",
        "_trailers",
        "_trailers_due",
        "_trailers_wanted",
        "complete",
        "cut",
        "on_wire",
        "size",
        "status",
    )

    def __init__(
        self,
        runtime: Runtime,
        exchange: Exchange,
        prefix: str,
        *,
        head_only: bool,
        label: str = "",
        trailers: bool = False,
    ) -> None:
        self._runtime = runtime
        self._exchange = exchange
        self._prefix = prefix
        self._head_only = head_only
        self._label = label
        self._left: int | None = None
        self.cut = False
        self._headers: Headers = []
        self._plain: ResponseFields | None = None
        self._no_body = _NOT_STARTED
        self._trailers: Headers = []
        self._trailers_due = False
        self._trailers_wanted = trailers
        self.status = 0
        self.size = 0
        self.on_wire = False
        self.complete = False

    def start(self, message: Message) -> None:
        """Take the start message.

        Raises:
            ValueError: it comes twice, or lacks a usable status.
            InvalidHeadersError: headers are not pairs of bytes.
        """
        if self.status:
            raise ValueError(f"The response has been started already; {self._prefix}.start comes once.")
        status = message.get("status")
        if status is None:
            raise ValueError(f"{self._prefix}.start needs a status code, such as 'status': 200; it has none.")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise ValueError(f"{self._prefix}.start needs a status from 200 to 999, got {status!r}.")
        given = tuple(message.get("headers") or ())
        self._plain = plain = plain_fields.find(given)
        self._headers = checked_headers(given) if plain is None else list(plain.headers)
        # A refused handshake has no message that could bring them.
        self._trailers_due = bool(message.get("trailers")) and self._prefix == "http.response"
        self.status = int(status)
        self._no_body = ""

    def hint(self, message: Message) -> None:
        """Send the links of an early hint at once (RFC 8297); behind the head it is too late, and counted.

        Raises:
            TypeError: links are not bytes.
            ValueError: a link cannot be sent.
        """
        links = list(message.get("links") or ())
        for link in links:
            if not isinstance(link, bytes):
                raise TypeError(
                    f"Links of an early hint are bytes, got {type(link).__name__}. Encode them first."
                )
        if self.on_wire:
            telemetry.count("server.late_hint")
        elif links:
            self._exchange.send_informational(103, [(b"link", link) for link in links])

    def body(self, message: Message) -> bool:
        """Take a body message.

        Returns:
            Whether the response is complete now.

        What goes beyond its Content-Length is left out, and logged.

        Raises:
            ValueError: the response was not started, is complete, or is shorter than its
                Content-Length.
            TypeError: the body is not bytes.
        """
        if self._no_body:
            self._expect_body("body")
        data = message.get("body", b"")
        if not isinstance(data, bytes):
            data = _as_bytes(data)
        more = bool(message.get("more_body", False))
        if not self.on_wire:
            if self._plain is not None and not more and self._respond(self._plain, data):
                return True
            self._send_head(None if more or self._trailers_due else len(data))
        if self._left is not None and len(data) > self._left:
            data = data[: self._keep(len(data))]
        elif self._left is not None:
            self._left -= len(data)
        self.size += len(data)
        if more:
            self._exchange.send_body(data)
        else:
            self._end(data)
        return self.complete

    def _respond(self, fields: ResponseFields, data: bytes) -> bool:
        """Send everything at once, if nothing speaks against it; returns whether it did."""
        runtime = self._runtime
        if self._trailers_due or self._head_only or self.status in BODYLESS or runtime.stopping:
            return False
        if not self._exchange.respond(self.status, fields, runtime.own_fields(), data):
            return False
        self._no_body = _COMPLETE
        self.size = len(data)
        self.on_wire = self.complete = True
        return True

    def begin_file(self, kind: str, size: int, *, last: bool) -> int:
        """Prepare for a file as a part of the body; until :meth:`end_file` nothing else may come.

        Args:
            kind: the last word of the message's type, for errors.
            size: how many bytes of it are to be sent.
            last: it is the last part of the body.

        Returns:
            How many bytes to send: none of them where a response has no body, and not more than
            its Content-Length.

        Raises:
            ValueError: it is out of turn, or is the whole body and shorter than Content-Length says.
        """
        self._expect_body(kind.rpartition(".")[2])
        if not self.on_wire:
            if last:
                # A 500 can still be sent while a whole file is shorter than Content-Length says.
                promised = self._promised()
                if promised is not None and promised > size:
                    raise ValueError(f"Content-Length is {promised}, but the file has {size} bytes.")
            self._send_head(size if last and not self._trailers_due else None, of_file=True)
        if self._head_only or self.status in BODYLESS:
            size = 0
        if self._left is not None:
            size = self._keep(size)
        self._no_body = _SENDING_FILE
        self.size += size
        return size

    def end_file(self, *, last: bool) -> bool:
        """The file has been sent.

        Returns:
            Whether the response is complete now.
        """
        self._no_body = ""
        if last:
            self._end(b"")
        return self.complete

    def trailers(self, message: Message) -> bool:
        """Take a trailers message.

        Returns:
            Whether the response is complete now.

        Raises:
            ValueError: it is out of turn, or a field cannot be sent behind a body.
            InvalidHeadersError: headers are not pairs of bytes.
        """
        if self._no_body is not _TRAILERS_DUE:
            raise ValueError(
                f"{self._prefix}.trailers came out of turn: it follows the last body of a response "
                "that was started with 'trailers': True, once."
            )
        self._trailers += checked_trailers(message.get("headers") or ())
        if not message.get("more_trailers", False):
            if self._trailers and not self._trailers_wanted:
                telemetry.count("server.trailers_dropped", len(self._trailers))
                self._trailers = []
            self._complete(b"")
        return self.complete

    def _expect_body(self, kind: str) -> None:
        if self._no_body:
            raise ValueError(f"{self._prefix}.{kind} came, but {self._no_body}.")

    def _promised(self) -> int | None:
        """Return the Content-Length of the application, if it is a number."""
        for name, value in self._headers:
            if name.lower() == b"content-length":
                return int(value) if value.isdigit() else None
        return None

    def _keep(self, size: int) -> int:
        """Return how many of ``size`` bytes are within the Content-Length; say so if not all are."""
        left = self._left or 0
        kept = min(size, left)
        self._left = left - kept
        if kept < size and not self.cut:
            self.cut = True
            telemetry.count("server.body_cut", label=self._label)
            logger.warning(
                "The body is longer than its Content-Length, by %d bytes or more; they are left out: %s",
                size - kept,
                self._label,
            )
        return kept

    def _end(self, data: bytes) -> None:
        """Send the last part of the body."""
        if self._trailers_due:
            self._no_body = _TRAILERS_DUE
            self._exchange.send_body(data)
        else:
            self._complete(data)

    def _complete(self, data: bytes) -> None:
        self._no_body = _COMPLETE
        self.complete = True
        self._exchange.end_response(data, self._trailers)

    def answer(self, status: int, text: str, headers: Headers | None = None) -> None:
        """Answer in the application's place; only before anything is on the wire."""
        self._plain = None
        self._headers = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or ())]
        self._trailers_due = False
        self._no_body = ""
        self.status = status
        self.body({"body": f"{status} {HTTPStatus(status).phrase}\n{text}\n".encode()})

    def refuse(self, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> bool:
        """Answer in the application's place and close; break off what the application has begun to answer.

        Returns:
            Whether the peer gets the answer: False if the head of another one was on its way.
        """
        if self.on_wire:
            self._exchange.abort_response()
            return False
        self.answer(status, text, [(b"connection", b"close"), *headers])
        return True

    def _send_head(self, size: int | None, *, of_file: bool = False) -> None:
        """Send the head; ``size`` is the length of the body, if it is known to be all there is.

        The length of a file is told to a HEAD, too: it is the one that a GET would get.
        """
        headers = self._headers
        names = {name.lower() for name, _ in headers}
        sized = size is not None and self.status not in BODYLESS and (of_file or not self._head_only)
        if sized and names.isdisjoint(_LENGTHS):
            headers.append((b"content-length", str(size).encode("ascii")))
        own = self._runtime.own_headers()
        headers += own if names.isdisjoint(_OWN) else [field for field in own if field[0] not in names]
        if self._runtime.stopping and b"connection" not in names:
            headers.append((b"connection", b"close"))
        if not self._head_only and self.status not in BODYLESS:
            self._left = self._promised()
        self._exchange.send_response(self.status, headers)
        self.on_wire = True


def checked_headers(headers: Any) -> Headers:
    """Return an application's headers as pairs.

    Raises:
        InvalidHeadersError: they are not pairs of bytes; the text names the first that is not.
    """
    pairs: Headers = []
    for header in headers:
        try:
            name, value = header
        except (TypeError, ValueError):
            raise InvalidHeadersError(
                f"Headers are pairs (name, value) of bytes, got {type(header).__name__} among them."
            ) from None
        for what, part in (("name", name), ("value", value)):
            if not isinstance(part, bytes):
                raise _no_bytes(what, part, name)
        pairs.append((name, value))
    return pairs


def _no_bytes(what: str, part: Any, name: Any) -> InvalidHeadersError:
    """Return the error in Daphne's words, and no more of them: suites compare."""
    shown = "…" if what == "value" and name in _SECRET else str(part)[:_SHOWN]
    return InvalidHeadersError(f"Header {what} '{shown}' expected to be `bytes`, but got `{type(part)}`")


def checked_trailers(headers: Any) -> Headers:
    """Return an application's trailers as pairs.

    Raises:
        ValueError: a field means nothing, or harm, behind a body; the text names it.
        InvalidHeadersError: they are not pairs of bytes.
    """
    pairs = checked_headers(headers)
    for name, _ in pairs:
        if name.lower() in _NO_TRAILERS:
            raise ValueError(f"{name!r} cannot be a trailer: send it in http.response.start.")
    return pairs


def _as_bytes(data: Any) -> bytes:
    if data is None:
        return b""
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"A body is bytes, got {type(data).__name__}. Encode text first: body.encode().")
