"""Whether a request may open a WebSocket: RFC 6455 4.2.1 over HTTP/1.1, RFC 8441 section 5 over HTTP/2.

The opening handshake is a request of HTTP and is judged by its fields alone, so that HTTP/1.1 can remember
the verdict without knowing WebSocket.
"""

from __future__ import annotations

import base64
import binascii

from channels.protocols.events import Handshake, Headers, RequestReceived
from channels.protocols.http.abnf import list_elements
from channels.protocols.http.semantics import tokens


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
    offered = [element.decode("ascii") for element in list_elements(value)]
    if len(set(offered)) != len(offered):
        raise HandshakeRejected(400, "Sec-WebSocket-Protocol must be a list of different subprotocols")
    return offered
