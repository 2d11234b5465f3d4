"""What an application says about its response, judged and put on the wire.

HTTP requests and refused WebSocket handshakes answer alike; only their messages are
called differently.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from channels.server.runtime import Runtime
from channels.server.streams.exchange import Exchange
from channels.typing import Headers, Message

#: Statuses whose responses have no body, hence no length (RFC 9110 section 8.6).
_BODYLESS = frozenset({204, 304})


class Response:
    """The response of one stream.

    The head is kept until the first part of the body, as ASGI demands: until then an
    application that fails can still be answered for.

    Args:
        runtime: what the process shares.
        exchange: where it goes.
        prefix: how its messages begin, ``http.response`` or ``websocket.http.response``.
        head_only: the request was a HEAD.

    Attributes:
        status: what was or will be sent; 0 before ``start``.
        size: bytes of the body so far.
        on_wire: the head is on its way.
        complete: the whole response is.
    """

    __slots__ = (
        "_exchange",
        "_head_only",
        "_headers",
        "_prefix",
        "_runtime",
        "complete",
        "on_wire",
        "size",
        "status",
    )

    def __init__(self, runtime: Runtime, exchange: Exchange, prefix: str, *, head_only: bool) -> None:
        self._runtime = runtime
        self._exchange = exchange
        self._prefix = prefix
        self._head_only = head_only
        self._headers: Headers = []
        self.status = 0
        self.size = 0
        self.on_wire = False
        self.complete = False

    def start(self, message: Message) -> None:
        """Take the start message.

        Raises:
            ValueError: it comes twice, or lacks a usable status.
            TypeError: headers are not pairs of bytes.
        """
        if self.status:
            raise ValueError(f"The response has been started already; {self._prefix}.start comes once.")
        status = message.get("status")
        if status is None:
            raise ValueError(f"{self._prefix}.start needs a status code, such as 'status': 200; it has none.")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise ValueError(f"{self._prefix}.start needs a status from 200 to 999, got {status!r}.")
        self._headers = checked_headers(message.get("headers") or ())
        self.status = int(status)

    def body(self, message: Message) -> bool:
        """Take a body message.

        Returns:
            Whether the response is complete now.

        Raises:
            ValueError: the response was not started, is complete, or is longer or
                shorter than its Content-Length.
            TypeError: the body is not bytes.
        """
        if not self.status:
            raise ValueError(
                f"The response has not been started, but {self._prefix}.body came: send start first."
            )
        if self.complete:
            raise ValueError(f"The response is complete, but another {self._prefix}.body came.")
        data = message.get("body", b"")
        if not isinstance(data, bytes):
            data = _as_bytes(data)
        more = bool(message.get("more_body", False))
        if not self.on_wire:
            self._send_head(None if more else len(data))
        self.size += len(data)
        if more:
            self._exchange.send_body(data)
        else:
            self.complete = True
            self._exchange.end_response(data)
        return self.complete

    def answer(self, status: int, text: str, headers: Headers | None = None) -> None:
        """Answer in the application's place; only before anything is on the wire."""
        self._headers = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or ())]
        self.status = status
        self.body({"body": f"{status} {_phrase(status)}\n{text}\n".encode()})

    def _send_head(self, size: int | None) -> None:
        """Send the head; ``size`` is the length of the body, if it is known to be all there is."""
        headers = self._headers
        names = {name.lower() for name, _ in headers}
        sized = size is not None and not self._head_only and self.status not in _BODYLESS
        if sized and names.isdisjoint((b"content-length", b"transfer-encoding")):
            headers = [*headers, (b"content-length", str(size).encode("ascii"))]
        headers = [*headers, *(pair for pair in self._runtime.own_headers() if pair[0] not in names)]
        if self._runtime.stopping and b"connection" not in names:
            headers.append((b"connection", b"close"))
        self._exchange.send_response(self.status, headers)
        self.on_wire = True


def checked_headers(headers: Any) -> Headers:
    """Returns an application's headers as pairs.

    Raises:
        TypeError: they are not pairs of bytes; the text names the first that is not.
    """
    pairs: Headers = []
    for header in headers:
        try:
            name, value = header
        except (TypeError, ValueError):
            raise TypeError(f"Headers are pairs (name, value) of bytes, got {header!r}.") from None
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise TypeError(f"Header names and values are bytes, got {name!r}: {value!r}. Encode them first.")
        pairs.append((name, value))
    return pairs


def _as_bytes(data: Any) -> bytes:
    if data is None:
        return b""
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"A body is bytes, got {type(data).__name__}. Encode text first: body.encode().")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
