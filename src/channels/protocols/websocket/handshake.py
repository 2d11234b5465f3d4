"""The answer that opens a WebSocket, the server's side: RFC 6455 4.2.2, and RFC 8441 over HTTP/2."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64

from channels.protocols.events import Headers
from channels.protocols.http.abnf import is_token_text
from channels.protocols.websocket.permessage_deflate import DeflateParameters

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OURS = frozenset(
    {
        b"connection",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"upgrade",
    }
)


def accept_value(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 4.2.2, step 5.4)."""
    return b2a_base64(hashlib.sha1(key + _GUID, usedforsecurity=False).digest(), newline=False)


def accept_headers(
    subprotocol: str | None,
    headers: Headers,
    deflate: DeflateParameters | None = None,
) -> Headers:
    """Make the headers of the response that opens the WebSocket, but for what only HTTP/1.1 says.

    That is Upgrade, Connection and Sec-WebSocket-Accept; see
    :meth:`channels.protocols.http1.response.ResponseWriter.switch_protocols`.

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
    if subprotocol is not None:
        if not is_token_text(subprotocol):
            # It is not shown: some clients send their token this way, and it may be what is given back.
            raise ValueError(
                f"What accept() got, of {len(subprotocol)} characters, is no subprotocol: it must be a "
                "token (RFC 9110 5.6.2), without spaces and padding. Accept with a token, or with none."
            )
        own.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
    if deflate is not None:
        own.append((b"sec-websocket-extensions", deflate.header))
    return [*own, *headers]
