"""Which requests may open a WebSocket, and how the others are refused."""

import pytest

from channels.protocols.events import RequestReceived
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake

FIELDS = {
    b"host": b"a",
    b"connection": b"Upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-version": b"13",
}


def request(*more, without=b"", method="GET", version="1.1", **changed):
    fields = FIELDS | {name.replace("_", "-").encode(): value for name, value in changed.items()}
    fields.pop(without, None)
    return RequestReceived(1, method, b"/", [*fields.items(), *more], version, True)


def rejected(*more, **options):
    with pytest.raises(HandshakeRejected) as caught:
        accept_handshake(request(*more, **options))
    return caught.value


def extended_connect(*fields, method="CONNECT", upgrade=b"websocket"):
    return RequestReceived(1, method, b"/", [(b"host", b"a"), *fields], "2", upgrade=upgrade)


@pytest.mark.parametrize(
    "changed",
    [
        {"connection": b"keep-alive, UPGRADE"},
        {"upgrade": b"h2c, WebSocket"},
        {"connection": b"upgrade,"},
    ],
)
def test_what_else_asks_for_a_websocket(changed):
    assert accept_handshake(request(**changed)).subprotocols == []


def test_subprotocols_in_several_fields():
    offered = accept_handshake(
        request((b"sec-websocket-protocol", b"a"), (b"sec-websocket-protocol", b"b ,\tc"))
    ).subprotocols
    assert offered == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "offered"),
    [
        (b"", []),
        (b",", []),
        (b"a,", ["a"]),
        (b", a", ["a"]),
        (b"a, , b", ["a", "b"]),
        (b"a b", ["a b"]),
        (b"Bearer abc", ["Bearer abc"]),
        (b"dG9rZW4=", ["dG9rZW4="]),
        (b"json;v=1", ["json;v=1"]),
        (b'"a,b"', ['"a', 'b"']),
    ],
)
def test_what_is_offered_may_be_no_token(value, offered):
    handshake = accept_handshake(request((b"sec-websocket-protocol", value)))
    assert handshake.subprotocols == offered
    over_2 = extended_connect((b"sec-websocket-version", b"13"), (b"sec-websocket-protocol", value))
    assert accept_handshake(over_2).subprotocols == offered


def test_two_origins():
    origins = [(b"origin", b"http://a"), (b"origin", b"http://a")]
    assert rejected(*origins).status == 403
    with pytest.raises(HandshakeRejected) as caught:
        accept_handshake(extended_connect((b"sec-websocket-version", b"13"), *origins))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (405, {"method": "POST"}),
        (405, {"method": "HEAD"}),
        (400, {"version": "1.0"}),
        (400, {"without": b"host"}),
        (400, {"without": b"connection"}),
        (400, {"connection": b"close"}),
        (400, {"without": b"upgrade"}),
        (400, {"upgrade": b"h2c"}),
        (426, {"without": b"sec-websocket-version"}),
        (426, {"sec_websocket_version": b"12"}),
        (426, {"sec_websocket_version": b"13, 8"}),
        (400, {"without": b"sec-websocket-key"}),
        (400, {"sec_websocket_key": b""}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBub25j"}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBub25jZQ"}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBs ZSBub25jZQ=="}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBub25jZTE="}),
        (400, {"sec_websocket_key": b"\xff" * 24}),
        (400, {"sec_websocket_protocol": b"a, \xe9"}),
        (400, {"sec_websocket_protocol": b"a, b, a"}),
    ],
)
def test_rejected(status, options):
    error = rejected(**options)
    assert error.status == status
    assert error.reason.isprintable()


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, b"host"),
        (400, b"sec-websocket-key"),
        (426, b"sec-websocket-version"),
    ],
)
def test_what_must_not_repeat(status, name):
    assert rejected((name, FIELDS[name])).status == status


def test_the_answer_says_what_would_do():
    assert rejected(sec_websocket_version=b"8").headers == [(b"sec-websocket-version", b"13")]
    assert rejected(method="PUT").headers == [(b"allow", b"GET")]
    assert rejected(without=b"host").headers == []


@pytest.mark.parametrize(
    ("opening", "status"),
    [
        (extended_connect(), 426),
        (extended_connect((b"sec-websocket-version", b"12")), 426),
        (extended_connect((b"sec-websocket-version", b"13"), method="GET"), 400),
        (extended_connect((b"sec-websocket-version", b"13"), upgrade=b""), 400),
    ],
)
def test_a_handshake_over_http2_that_is_refused(opening, status):
    with pytest.raises(HandshakeRejected) as caught:
        accept_handshake(opening)
    assert caught.value.status == status
