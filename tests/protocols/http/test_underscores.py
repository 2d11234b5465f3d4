"""Header names with underscores: left out and counted, whoever reads them and however often."""

from __future__ import annotations

from typing import Any

import pytest

from channels.protocols.events import RequestReceived
from channels.protocols.http.underscores import has_underscores, without_underscores
from channels.protocols.http1.connection import HTTP1Connection, HTTP1Limits
from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits
from tests.protocols.facts import amount_of
from tests.protocols.http2_peer import END_HEADERS, END_STREAM, GET, HELLO, WEBSOCKET, events_of, headers

FIELDS = [
    (b"host", b"a"),
    (b"x_forwarded_for", b"6.6.6.6"),
    (b"x-one", b"b_c"),
    (b"_", b"d"),
    (b"x_one", b"e"),
]
KEPT = [(b"host", b"a"), (b"x-one", b"b_c")]
HEAD = b"GET /a_b HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % field for field in FIELDS)
OPENING = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


def test_which_names() -> None:
    assert has_underscores(FIELDS)
    assert not has_underscores(KEPT)
    assert without_underscores(FIELDS) == KEPT


@pytest.mark.parametrize("engine", ["zttp", "h11"])
@pytest.mark.parametrize("more", [b"", OPENING])
def test_http1(engine: str, more: bytes) -> None:
    for data in (HEAD + more + b"\r\n",) * 3:
        connection = HTTP1Connection(engine=engine)
        found = connection.receive_known(data)
        if found is None:
            connection.receive_data(data)
            event = connection.next_event()
            assert isinstance(event, RequestReceived)
            found = event
        assert found.headers[:2] == KEPT
        assert not any(b"_" in name for name, _ in found.headers)
        assert amount_of(connection, "protocols.underscore_header") == 3


@pytest.mark.parametrize("engine", ["zttp", "h11"])
def test_http1_may_keep_them(engine: str) -> None:
    for _ in range(3):
        connection = HTTP1Connection(HTTP1Limits(underscores=True), engine=engine)
        connection.receive_data(HEAD + b"\r\n")
        event: Any = connection.next_event()
        assert event.headers == FIELDS
    connection = HTTP1Connection(engine=engine)  # what others have kept is not known to this one
    connection.receive_data(HEAD + b"\r\n")
    event = connection.next_event()
    assert event.headers == KEPT


@pytest.mark.parametrize("engine", ["native", "h2"])
@pytest.mark.parametrize("opening", [GET, WEBSOCKET])
@pytest.mark.parametrize("keep", [False, True])
def test_http2(engine: str, opening: Any, keep: bool) -> None:
    connection = HTTP2Connection(HTTP2Limits(underscores=keep), engine=engine)
    events_of(connection, HELLO)
    ended = END_STREAM if opening is GET else 0
    for stream_id in (1, 3, 5):
        connection.facts = ()
        (event,) = events_of(connection, headers(stream_id, [*opening, *FIELDS[1:]], END_HEADERS | ended))
        assert event.headers == (FIELDS if keep else KEPT)
        assert amount_of(connection, "protocols.underscore_header") == (0 if keep else 3)
