"""The answer that opens a WebSocket."""

import pytest

from channels.protocols.events import RequestReceived
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http.upgrade import accept_handshake
from channels.protocols.http1.connection import HTTP1Connection
from channels.protocols.websocket.handshake import accept_headers, accept_value
from channels.protocols.websocket.permessage_deflate import negotiate
from tests.protocols.http.test_upgrade import FIELDS, extended_connect, request


def test_the_example_of_the_rfc():
    # RFC 6455 1.3
    handshake = accept_handshake(request((b"sec-websocket-protocol", b"chat, superchat")))
    assert handshake.subprotocols == ["chat", "superchat"]
    assert accept_value(handshake.key) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert accept_headers("chat", [(b"x", b"y")]) == [
        (b"sec-websocket-protocol", b"chat"),
        (b"x", b"y"),
    ]


def test_a_handshake_from_the_wire():
    connection = HTTP1Connection()
    fields = b"".join(b"%b: %b\r\n" % field for field in FIELDS.items())
    connection.receive_data(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    event = connection.next_event()
    assert isinstance(event, RequestReceived)
    assert event.upgrade == b"websocket"
    handshake = accept_handshake(event)
    own = ResponseFields(((b"server", b"z"),))
    connection.switch_protocols(accept_headers("chat", [(b"x", b"y")]), own, accept_value(handshake.key))
    assert connection.data_to_send() == (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"sec-websocket-protocol: chat\r\nx: y\r\nserver: z\r\n\r\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        b"Sec-WebSocket-Accept",
        b"upgrade",
        b"CONNECTION",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
    ],
)
def test_the_application_cannot_repeat_what_the_handshake_sets(name):
    with pytest.raises(ValueError, match="is set by the WebSocket handshake") as caught:
        accept_headers(None, [(b"x", b"y"), (name, b"z")])
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("subprotocol", ["", "a b", "a\r\nx: y", "ä", "a,b", "Bearer s3cret", "s3cret="])
def test_a_subprotocol_is_a_token(subprotocol):
    with pytest.raises(ValueError, match="is no subprotocol") as caught:
        accept_headers(subprotocol, [])
    assert "s3cret" not in str(caught.value)


def test_what_is_offered_and_agreed_about_compression():
    offers = [(b"sec-websocket-extensions", b"x"), (b"sec-websocket-extensions", b"permessage-deflate")]
    handshake = accept_handshake(request(*offers))
    assert handshake.extensions == (b"x, permessage-deflate",)
    agreed = negotiate(handshake.extensions)
    assert agreed is not None
    assert accept_headers(None, [], agreed)[-1] == (b"sec-websocket-extensions", agreed.header)
    assert b"sec-websocket-extensions" not in dict(accept_headers(None, []))


def test_a_handshake_over_http2():
    # RFC 8441 5.1
    handshake = accept_handshake(
        extended_connect((b"sec-websocket-version", b"13"), (b"sec-websocket-protocol", b"chat"))
    )
    assert (handshake.status, handshake.subprotocols) == (200, ["chat"])
    assert handshake.key == b""
    assert accept_handshake(request()).status == 101
