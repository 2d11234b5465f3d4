"""The opening handshake of a WebSocket, the server's side: RFC 6455 section 4, and RFC 8441 over HTTP/2."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from channels.protocols.events import Headers, RequestReceived
from channels.protocols.http.semantics import tokens
from channels.protocols.websocket.permessage_deflate import DeflateParameters

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_OURS = frozenset(
    {
        b"connection",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"upgrade",
    }
)


class HandshakeRejected(Exception):
    """The request does not open a WebSocket.

    Attributes:
        status: the HTTP status to answer with.
        reason: one sentence for the log and the answer's body.
        headers: fields that belong into the answer.
    """

    def __init__(self, status: int, reason: str, headers: Headers | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers: Headers = headers or []


@dataclass(slots=True)
class Handshake:
    """A request that may become a WebSocket.

    Attributes:
        subprotocols: what the peer offers, in its order of preference.
        key: the peer's Sec-WebSocket-Key; b"" over HTTP/2, which has none.
        extensions: the values of Sec-WebSocket-Extensions, for
            :func:`channels.protocols.websocket.permessage_deflate.negotiate`.
    """

    subprotocols: list[str]
    key: bytes
    extensions: tuple[bytes, ...] = ()

    @property
    def status(self) -> int:
        """The status that opens the WebSocket: 101, over HTTP/2 200 (RFC 8441 section 5)."""
        return 101 if self.key else 200

    def accept_headers(
        self, subprotocol: str | None, headers: Headers, deflate: DeflateParameters | None = None
    ) -> Headers:
        """Make the headers of the response that opens the WebSocket.

        Args:
            subprotocol: which one will be spoken; what the application says is believed.
            headers: the application's own.
            deflate: what is agreed about compression; None: there will be none.

        Raises:
            ValueError: the subprotocol is no token, or a header is one that the handshake sets.

        See RFC 6455 4.2.2.
        """
        for name, _ in headers:
            if name.lower() in _OURS:
                raise ValueError(
                    f"The header {name!r} is set by the WebSocket handshake: do not pass it to accept(). "
                    "A subprotocol is chosen with its own argument."
                )
        own: Headers = []
        if self.key:
            accept = base64.b64encode(hashlib.sha1(self.key + _GUID, usedforsecurity=False).digest())
            own += [
                (b"upgrade", b"websocket"),
                (b"connection", b"Upgrade"),
                (b"sec-websocket-accept", accept),
            ]
        if subprotocol is not None:
            if not is_token(subprotocol):
                # It is not shown: some clients send their token this way, and it may be what is given back.
                raise ValueError(
                    f"What accept() got, of {len(subprotocol)} characters, is no subprotocol: it must be a "
                    "token (RFC 9110 5.6.2), without spaces and padding. Accept with a token, or with none."
                )
            own.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
        if deflate is not None:
            own.append((b"sec-websocket-extensions", deflate.header))
        return [*own, *headers]


def accept_handshake(request: RequestReceived) -> Handshake:
    """Judge a request that asks for a WebSocket.

    Raises:
        HandshakeRejected: it cannot become one.

    See RFC 6455 4.2.1, and RFC 8441 section 5 for an extended CONNECT over HTTP/2.
    """
    fields = dict(request.headers)
    if len(fields) != len(request.headers):
        fields = _joined(request.headers)
        if [name for name, _ in request.headers].count(b"origin") > 1:
            raise HandshakeRejected(403, "Origin is repeated")  # RFC 6454 7.3: which one is true?
    modern = request.http_version == "2"
    if not modern:
        _check_upgrade(request, fields)
    elif request.method != "CONNECT" or request.upgrade != b"websocket":
        raise HandshakeRejected(400, "over HTTP/2 a WebSocket is opened with an extended CONNECT")
    if fields.get(b"sec-websocket-version") != b"13":
        raise HandshakeRejected(
            426, "only WebSocket version 13 is spoken", [(b"sec-websocket-version", b"13")]
        )
    offered = fields.get(b"sec-websocket-extensions")
    extensions = () if offered is None else (offered,)
    return Handshake(_subprotocols(fields), b"" if modern else _key(fields), extensions)


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """Join repeated fields to lists (RFC 9110 5.2); where none may be, the comma is what is wrong."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def _check_upgrade(request: RequestReceived, fields: dict[bytes, bytes]) -> None:
    if request.method != "GET":
        raise HandshakeRejected(405, "a WebSocket is opened with GET", [(b"allow", b"GET")])
    if request.http_version != "1.1":
        raise HandshakeRejected(400, "a WebSocket is opened with HTTP/1.1")
    if b"," in fields.get(b"host", b","):
        raise HandshakeRejected(400, "Host is missing or repeated")
    connection, upgrade = fields.get(b"connection", b""), fields.get(b"upgrade", b"")
    if b"upgrade" not in tokens(connection) or b"websocket" not in tokens(upgrade):
        raise HandshakeRejected(400, "Connection: Upgrade and Upgrade: websocket are missing")


def _key(fields: dict[bytes, bytes]) -> bytes:
    key = fields.get(b"sec-websocket-key", b"")
    try:
        if len(base64.b64decode(key, validate=True)) == 16:
            return key
    except binascii.Error:
        pass  # as wrong as a key of another size
    raise HandshakeRejected(400, "Sec-WebSocket-Key must be one base64 text of 16 bytes")


def _subprotocols(fields: dict[bytes, bytes]) -> list[str]:
    """What is offered. Some clients put a token with its scheme or padding there, which is no subprotocol."""
    value = fields.get(b"sec-websocket-protocol")
    if value is None:
        return []
    if not value.isascii():
        raise HandshakeRejected(400, "Sec-WebSocket-Protocol must be ASCII")
    # RFC 9110 5.6.1.2: empty elements of a list are ignored.
    offered = [element for part in value.decode("ascii").split(",") if (element := part.strip(" \t"))]
    if len(set(offered)) != len(offered):
        raise HandshakeRejected(400, "Sec-WebSocket-Protocol must be a list of different subprotocols")
    return offered
