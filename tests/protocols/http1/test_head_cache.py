"""A head whose lines are known means what the engine says it means."""

import dataclasses

import pytest

from channels.protocols.events import BodyEnded, ProtocolViolated, RequestReceived
from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http.semantics import interpret_head
from channels.protocols.http.upgrade import accept_handshake
from channels.protocols.http1 import head_cache as http1_known
from channels.protocols.http1.connection import HTTP1Connection, HTTP1Limits
from channels.protocols.http1.engines import http1_engine
from channels.protocols.http1.head_cache import HeadCache

BLOCK = b"\r\nHost: a\r\nAccept: */*\r\nX: 1\r\nX: 2\r\n\r\n"
LINE = b"GET / HTTP/1.1"


@pytest.fixture(params=["zttp", "h11"])
def engine(request):
    return request.param


def read(engine, head):
    raw, _ = http1_engine(engine)(head)
    return interpret_head(raw, 1, 8192, 100)


def keep(blocks, engine, head):
    event, _, persistent = read(engine, head)
    blocks.remember(head, event, persistent)


def knowing(engine, block=BLOCK):
    blocks = HeadCache()
    keep(blocks, engine, LINE + block)
    return blocks


def first_event(data, engine, **limits):
    connection = HTTP1Connection(HTTP1Limits(**limits), engine=engine)
    connection.receive_data(data)
    return connection.next_event()


def test_a_known_block_is_read_as_the_engine_reads_it(engine):
    blocks = knowing(engine)
    head = b"DELETE /a%20b?c=d HTTP/1.1" + BLOCK
    assert blocks.find(head, 1) == read(engine, head)
    assert blocks.find(LINE + BLOCK.replace(b"*/*", b"*/-"), 1) is None


def test_every_byte_of_a_request_line_is_judged_as_the_engine_judges_it(engine):
    blocks = knowing(engine)
    lines = [b"GET /%c HTTP/1.1" % byte for byte in range(256)]
    lines += [b"G%cT / HTTP/1.1" % byte for byte in range(256)]
    lines += [b"GET / HTTP/1.%d" % minor for minor in range(3)]
    lines += [b"CONNECT /a HTTP/1.1", b"CONNECTED / HTTP/1.1", b"%b / HTTP/1.1" % (b"M" * 33)]
    lines += [
        b"GET a HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET http://a/ HTTP/1.1",
        b"GET / HTTP/2.0",
        b"",
        b"GET /",
    ]
    answered = 0
    for line in lines:
        found = blocks.find(line + BLOCK, 1)
        if found is not None:
            answered += 1
            assert found == read(engine, line + BLOCK), line
    assert answered > 150


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"POST / HTTP/1.1", b"content-length: 3\r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 03\r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 3 \r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 3\r\nExpect: 100-continue\r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 0\r\nExpect: 100-continue\r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 3\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"),
        (b"POST / HTTP/1.1", b"Content-Length: 0\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"),
        (b"POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\n"),
        (b"GET / HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        (b"GET / HTTP/1.0", b""),
        (b"GET http://a/ HTTP/1.1", b""),
        (b"GET / HTTP/1.1", b"X: %b\r\n" % (b"x" * 2048)),
    ],
)
def test_what_means_something_else_elsewhere_is_not_kept(engine, line, fields):
    blocks = HeadCache()
    head = line + b"\r\nHost: a\r\n" + fields + b"\r\n"
    keep(blocks, engine, head)
    assert len(blocks) == 0


def test_an_application_may_change_its_headers(engine):
    blocks = knowing(engine)
    event, *_ = blocks.find(LINE + BLOCK, 1)
    event.headers.clear()
    again, *_ = blocks.find(LINE + BLOCK, 2)
    assert len(again.headers) == 4
    assert again.stream_id == 2


def test_whether_the_connection_lives_on_is_known(engine):
    block = b"\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert knowing(engine, block).find(LINE + block, 1)[2] is False
    assert knowing(engine).find(LINE + BLOCK, 1)[2] is True


def test_the_number_of_blocks_is_bounded(engine, monkeypatch):
    monkeypatch.setattr(http1_known, "_MAX_BLOCKS", 3)
    blocks = HeadCache()
    for number in range(7):
        head = LINE + b"\r\nHost: a%d\r\n\r\n" % number
        keep(blocks, engine, head)
        assert 1 <= len(blocks) <= 3
        assert blocks.find(head, 1) is not None


def test_a_connection_reads_a_block_once(engine):
    calls = []
    connection = HTTP1Connection(engine=engine)
    read_head = connection._read_head
    connection._read_head = lambda head: calls.append(head) or read_head(head)
    connection._known = HeadCache()
    for path in (b"/1", b"/2", b"/3"):
        connection.receive_data(b"GET %b HTTP/1.1" % path + BLOCK)
        assert connection.next_event().target == path
        connection.send_response(204, [])
        connection.end_message()
        connection.start_next_cycle()
    assert len(calls) == 1


def test_each_connection_has_its_own_limits(engine):
    head = b"GET /known HTTP/1.1" + BLOCK
    assert isinstance(first_event(head, engine), RequestReceived)
    assert first_event(head, engine, max_headers=3) == ProtocolViolated(
        431, "the request head has more than 3 fields"
    )
    assert first_event(head, engine, max_target=5).status == 414


def test_what_was_refused_is_not_known(engine):
    for _ in range(2):
        assert first_event(LINE + b"\r\nHost: a b\r\n\r\n", engine).status == 400
    with pytest.raises(MalformedMessage):
        read(engine, LINE + b"\r\nHost: a b\r\n\r\n")


def test_a_known_request_is_taken_at_once(engine):
    connection = HTTP1Connection(engine=engine)
    connection._known = knowing(engine)
    for stream_id in (1, 2):
        request = connection.receive_known(LINE + BLOCK)
        assert request == dataclasses.replace(read(engine, LINE + BLOCK)[0], stream_id=stream_id)
        assert connection.request_ended
        assert connection.next_event() is None
        connection.send_response(204, [])
        connection.end_message()
        connection.start_next_cycle()


@pytest.mark.parametrize(
    "data",
    [
        LINE + BLOCK + b"G",
        (LINE + BLOCK) * 2,
        LINE + BLOCK[:-1],
        b"\r\n" + LINE + BLOCK,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
        b"GET /" + b"a" * 8192 + b" HTTP/1.1" + BLOCK,
    ],
)
def test_what_is_not_one_known_request_is_left(engine, data):
    connection = HTTP1Connection(engine=engine)
    connection._known = knowing(engine)
    assert connection.receive_known(data) is None
    assert not connection.has_more
    assert connection._stream_id == 0


def test_a_known_request_is_left_while_something_else_is_read(engine):
    connection = HTTP1Connection(engine=engine)
    connection._known = knowing(engine)
    connection.receive_data(b"GET /")
    assert connection.receive_known(LINE + BLOCK) is None
    connection.receive_data(LINE[4:] + BLOCK)
    assert connection.next_event() is not None
    assert connection.receive_known(LINE + BLOCK) is None  # it waits for its response


KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://a\r\nCookie: %b\r\n"
    b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def found_handshake(blocks, head):
    """What is found is what the engine finds, and the handshake what its judge finds."""
    found = blocks.find(head, 1)
    if found is None:
        return None
    event, _, persistent = found
    handshake, event.handshake = event.handshake, None
    return event, persistent, handshake


def read_handshake(engine, head):
    event, _, persistent = read(engine, head)
    return event, persistent, accept_handshake(event)


@pytest.mark.parametrize("cookie", [b"a=b", b"sessionid=x; c=d e", b"c"])
@pytest.mark.parametrize("key", [KEY, b"AAAAAAAAAAAAAAAAAAAAAA==", b"+/+/+/+/+/+/+/+/+/+/+w=="])
def test_a_handshake_is_known_whatever_its_key_and_cookies(engine, key, cookie):
    blocks = knowing(engine, HANDSHAKE % (b"first=1", KEY))
    head = b"GET /chat/%C3%A9?a=b HTTP/1.1" + HANDSHAKE % (cookie, key)
    assert found_handshake(blocks, head) == read_handshake(engine, head)
    assert blocks.find(head, 1)[0].handshake.key == key


def test_a_handshake_without_cookies_is_not_one_with_them(engine):
    plain = HANDSHAKE.replace(b"Cookie: %b\r\n", b"") % KEY
    blocks = knowing(engine, plain)
    assert found_handshake(blocks, LINE + plain) == read_handshake(engine, LINE + plain)
    assert blocks.find(LINE + HANDSHAKE % (b"a=b", KEY), 1) is None


def test_every_byte_of_a_key_and_of_cookies_is_judged_as_the_engine_judges_it(engine):
    blocks = knowing(engine, HANDSHAKE % (b"a=b", KEY))
    cookies = [b"a%cb" % byte for byte in range(256)] + [b"%ca" % byte for byte in range(256)]
    cookies += [b"a%c" % byte for byte in range(256)] + [b"", b" ", b"a=b\r\nCookie: c=d"]
    keys = [KEY[:-3] + b"%c==" % byte for byte in range(256)]
    keys += [b"", KEY[:-1], KEY + b"=", KEY[:20] + b"====", KEY + b"\r\nSec-WebSocket-Key: " + KEY]
    heads = [LINE + HANDSHAKE % (cookie, KEY) for cookie in cookies]
    heads += [LINE + HANDSHAKE % (b"a=b", key) for key in keys]
    answered = 0
    for head in heads:
        found = found_handshake(blocks, head)
        if found is not None:
            answered += 1
            assert found == read_handshake(engine, head), head
    assert answered > 300


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"GET / HTTP/1.0", b"GET http://a/ HTTP/1.1", b"GET"])
def test_a_known_handshake_behind_another_line_is_none(engine, line):
    assert knowing(engine, HANDSHAKE % (b"a=b", KEY)).find(line + HANDSHAKE % (b"a=b", KEY), 1) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Version: 13", b"Version: 12"),
        (KEY, b"short"),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"Sec-WebSocket-Key", b"sec-websocket-key"),
        (b"Cookie: a=b", b"Cookie: a=b\r\nX: 1\r\nX: 2"),
        (b"Cookie: a=b", b"cookie: a=b\r\nCookie: c=d"),
        (b"a, b", b"a, a"),
        # Somebody's own, and perhaps secret.
        (b"a, b", b"access_token, " + b"x" * 33),
        (b"a, b", b"Bearer abc"),
    ],
)
def test_a_handshake_that_may_mean_something_else_is_not_kept(engine, old, new):
    block = (HANDSHAKE % (b"a=b", KEY)).replace(old, new)
    assert len(knowing(engine, block)) == 0


def test_secrets_of_a_handshake_are_not_kept(engine):
    blocks = knowing(engine, HANDSHAKE % (b"sessionid=secret", KEY))
    assert len(blocks) == 1
    kept = repr((blocks._blocks, blocks._cut))
    assert "secret" not in kept
    assert KEY.decode() not in kept


PAGE = b"\r\nHost: a\r\nCookie: %b\r\nAccept: */*\r\n\r\n"
TOKEN = b"\r\nHost: a\r\nAuthorization: Bearer %b\r\nCookie: c\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize("line", [b"GET /a?b HTTP/1.1", b"HEAD / HTTP/1.1", b"OPTIONS / HTTP/1.1"])
@pytest.mark.parametrize("cookie", [b"a=b", b"sessionid=x; c=d e", b"c"])
def test_a_page_is_known_whatever_its_cookies(engine, line, cookie):
    blocks = knowing(engine, PAGE % b"first=1")
    head = line + PAGE % cookie
    assert blocks.find(head, 1) == read(engine, head)
    assert "first=1" not in repr((blocks._blocks, blocks._cut))


def test_a_page_is_known_whatever_its_token(engine):
    blocks = knowing(engine, TOKEN % b"first")
    head = LINE + TOKEN % b"abc.def"
    assert blocks.find(head, 1) == read(engine, head)
    assert "first" not in repr((blocks._blocks, blocks._cut))


def test_a_page_without_cookies_is_not_one_with_them(engine):
    plain = PAGE.replace(b"Cookie: %b\r\n", b"")
    assert knowing(engine, plain).find(LINE + PAGE % b"a=b", 1) is None
    assert knowing(engine, PAGE % b"a=b").find(LINE + plain, 1) is None


@pytest.mark.parametrize("block", [HANDSHAKE % (b"a=b", KEY), PAGE % b"a=b"])
def test_whether_the_connection_lives_on_is_known_beside_cookies_too(engine, block):
    last = block.replace(b"Connection: Upgrade", b"Connection: Upgrade, close")
    last = last if last != block else block.replace(b"Accept", b"Connection: close\r\nAccept")
    assert knowing(engine, block).find(LINE + block, 1)[2] is True
    assert knowing(engine, last).find(LINE + last, 1)[2] is False


def test_an_application_may_change_what_its_handshake_offers(engine):
    head = LINE + HANDSHAKE % (b"a=b", KEY)
    blocks = knowing(engine, HANDSHAKE % (b"a=b", KEY))
    event, *_ = blocks.find(head, 1)
    event.headers.clear()
    event.handshake.subprotocols.clear()
    assert found_handshake(blocks, head) == read_handshake(engine, head)


def test_the_number_of_handshakes_is_bounded(engine, monkeypatch):
    monkeypatch.setattr(http1_known, "_MAX_BLOCKS", 3)
    blocks = HeadCache()
    for number in range(7):
        head = LINE + (HANDSHAKE % (b"a=b", KEY)).replace(b"Host: a", b"Host: a%d" % number)
        keep(blocks, engine, head)
        assert 1 <= len(blocks) <= 3


def test_a_known_handshake_is_taken_at_once_and_what_is_behind_it_is_left(engine):
    block = HANDSHAKE % (b"a=b", KEY)
    connection = HTTP1Connection(engine=engine)
    connection._known = knowing(engine, block)
    assert connection.receive_known(LINE + block + b"\x81") is None
    connection.receive_data(LINE + block + b"\x81")
    event = connection.next_event()
    assert event.handshake.key == KEY
    assert connection.trailing_data() == b"\x81"
    other = HTTP1Connection(engine=engine)
    other._known = connection._known
    assert other.receive_known(LINE + block).handshake.subprotocols == ["a", "b"]


FORM = b"\r\nHost: a\r\nCookie: c\r\nContent-Type: text/plain\r\nContent-Length: %b\r\nX: 1\r\n\r\n"


@pytest.mark.parametrize("first", [b"5", b"0"])
@pytest.mark.parametrize(
    "line", [b"POST /a?b HTTP/1.1", b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"TRACE / HTTP/1.1"]
)
def test_a_body_is_known_whatever_its_length(engine, line, first):
    blocks = knowing(engine, FORM % first)
    for length in (b"0", b"1", b"7", b"65536", b"999999999999999"):
        head = line + FORM % length
        assert blocks.find(head, 1) == read(engine, head)
        assert blocks.find(head, 1)[1] == int(length)


@pytest.mark.parametrize(
    "length",
    [
        *(
            b"",
            b"-1",
            b"+1",
            b"1 ",
            b" 1",
            b"1, 1",
            b"1,2",
            b"0x1",
            b"1_0",
            b"01",
            b"1.0",
            b"\xb2",
            b"9" * 16,
        ),
        *(b"1\r\nContent-Length: 1", b"1\r\nContent-Length: 2", b"1\r\ncontent-length: 2"),
        *(b"1\r\nTransfer-Encoding: chunked", b"1\r\n X: 2", b"1\nX: 2", b"1\rX", b"1\r\n\r\n"),
    ],
)
def test_an_unusual_length_is_for_the_engine(engine, length):
    """Where two readers would see the end of a body at different places, requests could be hidden."""
    assert knowing(engine, FORM % b"5").find(b"POST / HTTP/1.1" + FORM % length, 1) is None


def test_every_byte_of_a_length_is_judged_as_the_engine_judges_it(engine):
    blocks = knowing(engine, FORM % b"5")
    for byte in range(256):
        head = b"POST / HTTP/1.1" + FORM % (b"1%c2" % byte)
        found = blocks.find(head, 1)
        if found is not None:
            assert found == read(engine, head), byte


def test_bodies_behind_known_heads_are_read_to_their_ends(engine):
    """One after the other, in any pieces: the next request begins where the body ends."""
    connection = HTTP1Connection(HTTP1Limits(), engine=engine)
    bodies = [b"hello", b"", b"Content-Length: 9\r\n\r\n", b"x" * 100, b"y"]
    for round_ in range(2):
        for body in bodies:
            data = b"POST / HTTP/1.1" + FORM % b"%d" % len(body) + body
            assert read_whole(connection, data, step=len(data) if round_ else 7) == body
            connection.send_response(204, [])
            connection.end_message([])
            connection.start_next_cycle()


def read_whole(connection, data, step):
    """The body of one request that comes in pieces of ``step`` bytes."""
    body, ended = b"", False
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        event = connection.receive_known(piece)
        if event is None:
            connection.receive_data(piece)
            event = connection.next_event()
        while event is not None:
            assert not ended
            body += getattr(event, "data", b"")
            ended = isinstance(event, BodyEnded) or getattr(event, "ended", False)
            event = connection.next_event()
    assert ended
    return body
