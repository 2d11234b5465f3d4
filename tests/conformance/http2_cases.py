"""Frames over HTTP/2, by section of RFC 9113 (R: RFC 8441, H: RFC 7541), and the answer due to each.

One table, longer than other files here: that nothing is missing is seen best on one page.
"""

from __future__ import annotations

from tests.conformance.http2_wire import (
    ACK,
    COMPRESSION,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL,
    FRAME_SIZE,
    GET,
    GOAWAY,
    HEADERS,
    HOLD,
    HOLD_POST,
    NONE,
    PADDED,
    PING,
    POST,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    fields,
    frame,
    huffman,
    number,
    request,
    setting,
)

OPEN = request(1, HOLD_POST, END_HEADERS)  # a request whose body is awaited, and no answer comes
HALF_CLOSED = request(1, HOLD)  # a complete request without an answer
BEGUN = frame(HEADERS, NONE, 1, GET)  # a block that goes on in CONTINUATION frames
RESET = OPEN + frame(RST_STREAM, NONE, 1, number(8))


def like(*more: tuple[bytes, bytes], block: bytes = GET) -> bytes:
    return request(1, block + fields(*more))


def pseudo(*pairs: tuple[bytes, bytes]) -> bytes:
    return request(1, fields(*pairs))


def body(length: bytes, *parts: bytes, block: bytes = HOLD_POST) -> bytes:
    """A request with a Content-Length and these parts of a body."""
    frames = [frame(DATA, NONE, 1, part) for part in parts[:-1]] + [frame(DATA, END_STREAM, 1, parts[-1])]
    return request(1, block + fields((b"content-length", length)), END_HEADERS) + b"".join(frames)


TRAILERS = fields((b"a", b"b"))
METHOD, SCHEME = (b":method", b"GET"), (b":scheme", b"http")
PATH, AUTHORITY = (b":path", b"/"), (b":authority", b"a")
CONNECT, PROTOCOL_FIELD = (b":method", b"CONNECT"), (b":protocol", b"websocket")
WEBSOCKET = (CONNECT, PROTOCOL_FIELD, SCHEME, PATH, AUTHORITY)

#: What does not begin as HTTP/2 does: the connection ends, with or without a GOAWAY.
BEGINNINGS: dict[str, bytes] = {
    "3.4 another preface": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS),
    "3.4 PING before SETTINGS": PREFACE + frame(PING, NONE, 0, bytes(8)),
    "3.4 HEADERS before SETTINGS": PREFACE + request(),
    "3.4 SETTINGS that acknowledge, first": PREFACE + frame(SETTINGS, ACK),
    "3.4 SETTINGS on a stream, first": PREFACE + frame(SETTINGS, NONE, 1),
}

#: The connection ends with this code.
CONNECTION_ERRORS: dict[str, tuple[int, bytes]] = {
    # 4.2, frame size
    "4.2 DATA larger than 16,384": (FRAME_SIZE, OPEN + frame(DATA, NONE, 1, bytes(16_385))),
    "4.2 HEADERS larger than 16,384": (FRAME_SIZE, request(1, GET + bytes(16_385))),
    "4.2 SETTINGS larger than 16,384": (FRAME_SIZE, frame(SETTINGS, NONE, 0, bytes(16_386))),
    "4.2 an unknown frame larger than 16,384": (FRAME_SIZE, frame(99, NONE, 0, bytes(16_385))),
    # 4.3, compression and the integrity of a block
    "4.3 a block that cannot be decoded": (COMPRESSION, request(1, b"\xff\xff\xff\xff\xff\xff")),
    "4.3 PRIORITY within a block": (
        PROTOCOL,
        frame(HEADERS, NONE, 1, GET) + frame(PRIORITY, NONE, 1, bytes(5)),
    ),
    "4.3 HEADERS of another stream within a block": (PROTOCOL, frame(HEADERS, NONE, 1, GET) + request(3)),
    "4.3 DATA within a block": (PROTOCOL, frame(HEADERS, NONE, 1, GET) + frame(DATA, NONE, 1, b"x")),
    "4.3 PING within a block": (PROTOCOL, frame(HEADERS, NONE, 1, GET) + frame(PING, NONE, 0, bytes(8))),
    "4.3 SETTINGS within a block": (PROTOCOL, frame(HEADERS, NONE, 1, GET) + frame(SETTINGS)),
    "5.5 an unknown frame within a block": (PROTOCOL, frame(HEADERS, NONE, 1, GET) + frame(99, NONE, 1)),
    # 5.1, states of a stream
    "5.1 DATA on an idle stream": (PROTOCOL, frame(DATA, END_STREAM, 1, b"x")),
    "5.1 RST_STREAM on an idle stream": (PROTOCOL, frame(RST_STREAM, NONE, 1, number(8))),
    "5.1 WINDOW_UPDATE on an idle stream": (PROTOCOL, frame(WINDOW_UPDATE, NONE, 1, number(1))),
    "5.1 CONTINUATION on an idle stream": (PROTOCOL, frame(CONTINUATION, END_HEADERS, 1, GET)),
    "5.1 CONTINUATION on a half-closed stream": (
        PROTOCOL,
        HALF_CLOSED + frame(CONTINUATION, END_HEADERS, 1, GET),
    ),
    "5.1.1 an even stream": (PROTOCOL, request(2)),
    "5.1.1 stream 0": (PROTOCOL, request(0)),
    # 6.1, DATA
    "6.1 DATA on stream 0": (PROTOCOL, frame(DATA, NONE, 0, b"x")),
    "6.1 as much padding as payload": (PROTOCOL, OPEN + frame(DATA, PADDED, 1, b"\x05abcd")),
    "6.1 more padding than payload": (PROTOCOL, OPEN + frame(DATA, PADDED, 1, b"\xffabcd")),
    "6.1 padded, but empty": (FRAME_SIZE, OPEN + frame(DATA, PADDED, 1)),
    # 6.2, HEADERS
    "6.2 as much padding as payload": (PROTOCOL, frame(HEADERS, 5 | PADDED, 1, b"\x07" + GET)),
    "6.2 more padding than payload": (PROTOCOL, frame(HEADERS, 5 | PADDED, 1, b"\xff" + GET)),
    "6.2 padded, but empty": (FRAME_SIZE, frame(HEADERS, 5 | PADDED, 1)),
    "6.2 a priority that is cut": (FRAME_SIZE, frame(HEADERS, 5 | PRIORITIZED, 1, b"\0\0\0")),
    # 6.3, PRIORITY
    "6.3 PRIORITY on stream 0": (PROTOCOL, frame(PRIORITY, NONE, 0, bytes(5))),
    # 6.4, RST_STREAM
    "6.4 RST_STREAM on stream 0": (PROTOCOL, frame(RST_STREAM, NONE, 0, number(8))),
    "6.4 a short RST_STREAM": (FRAME_SIZE, OPEN + frame(RST_STREAM, NONE, 1, b"\0\0\0")),
    "6.4 a long RST_STREAM": (FRAME_SIZE, OPEN + frame(RST_STREAM, NONE, 1, bytes(5))),
    # 6.5, SETTINGS
    "6.5 an acknowledgement with a payload": (FRAME_SIZE, frame(SETTINGS, ACK, 0, bytes(6))),
    "6.5 SETTINGS on a stream": (PROTOCOL, frame(SETTINGS, NONE, 1)),
    "6.5 SETTINGS on an open stream": (PROTOCOL, OPEN + frame(SETTINGS, NONE, 1)),
    "6.5 a length that is no multiple of 6": (FRAME_SIZE, frame(SETTINGS, NONE, 0, bytes(7))),
    "6.5.2 ENABLE_PUSH of 2": (PROTOCOL, setting(2, 2)),
    "6.5.2 INITIAL_WINDOW_SIZE of 2**31": (FLOW_CONTROL, setting(4, 2**31)),
    "6.5.2 MAX_FRAME_SIZE of 16,383": (PROTOCOL, setting(5, 16_383)),
    "6.5.2 MAX_FRAME_SIZE of 2**24": (PROTOCOL, setting(5, 2**24)),
    "R3 ENABLE_CONNECT_PROTOCOL of 2": (PROTOCOL, setting(8, 2)),
    # 6.6, PUSH_PROMISE
    "8.4 a push of a client": (PROTOCOL, OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + GET)),
    "6.6 a push on stream 0": (PROTOCOL, frame(PUSH_PROMISE, END_HEADERS, 0, number(2) + GET)),
    # 6.7, PING
    "6.7 PING on a stream": (PROTOCOL, frame(PING, NONE, 1, bytes(8))),
    "6.7 a short PING": (FRAME_SIZE, frame(PING, NONE, 0, bytes(7))),
    "6.7 a long PING": (FRAME_SIZE, frame(PING, NONE, 0, bytes(9))),
    # 6.8, GOAWAY
    "6.8 GOAWAY on a stream": (PROTOCOL, frame(GOAWAY, NONE, 1, bytes(8))),
    "6.8 a short GOAWAY": (FRAME_SIZE, frame(GOAWAY, NONE, 0, bytes(7))),
    # 6.9, WINDOW_UPDATE
    "6.9 a window of nothing for the connection": (PROTOCOL, frame(WINDOW_UPDATE, NONE, 0, number(0))),
    "6.9 a short WINDOW_UPDATE": (FRAME_SIZE, frame(WINDOW_UPDATE, NONE, 0, b"\0\0\1")),
    "6.9 a long WINDOW_UPDATE": (FRAME_SIZE, frame(WINDOW_UPDATE, NONE, 0, bytes(5))),
    "6.9.1 too large a window of the connection": (
        FLOW_CONTROL,
        frame(WINDOW_UPDATE, NONE, 0, number(2**31 - 1)),
    ),
    "6.9.2 a setting that makes a window too large": (
        FLOW_CONTROL,
        OPEN + frame(WINDOW_UPDATE, NONE, 1, number(2**31 - 1 - 65_535)) + setting(4, 65_536),
    ),
    # 6.10, CONTINUATION
    "6.10 CONTINUATION behind a whole block": (PROTOCOL, OPEN + frame(CONTINUATION, END_HEADERS, 1, GET)),
    "6.10 CONTINUATION behind the last CONTINUATION": (
        PROTOCOL,
        frame(HEADERS, NONE, 1, HOLD_POST)
        + frame(CONTINUATION, END_HEADERS, 1)
        + frame(CONTINUATION, END_HEADERS, 1),
    ),
    "6.10 CONTINUATION on stream 0": (
        PROTOCOL,
        frame(HEADERS, NONE, 1, GET) + frame(CONTINUATION, END_HEADERS, 0),
    ),
    "6.10 CONTINUATION of another stream": (
        PROTOCOL,
        frame(HEADERS, NONE, 1, GET) + frame(CONTINUATION, END_HEADERS, 3),
    ),
    "6.10 CONTINUATION behind DATA": (
        PROTOCOL,
        OPEN + frame(DATA, NONE, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, GET),
    ),
    "6.10 CONTINUATION without end": (
        ENHANCE_YOUR_CALM,
        frame(HEADERS, NONE, 1, GET) + frame(CONTINUATION, NONE, 1, fields((b"a", b"b")) * 3000) * 5,
    ),
    # 10.5, floods
    "10.5 a flood of pings": (ENHANCE_YOUR_CALM, frame(PING, NONE, 0, bytes(8)) * 1100),
    "10.5 a flood of settings": (ENHANCE_YOUR_CALM, frame(SETTINGS) * 1100),
    "10.5 a flood of empty DATA": (ENHANCE_YOUR_CALM, OPEN + frame(DATA, NONE, 1) * 1100),
    "10.5 a flood of resets": (
        ENHANCE_YOUR_CALM,
        b"".join(request(n, HOLD) + frame(RST_STREAM, NONE, n, number(8)) for n in range(1, 600, 2)),
    ),
    # RFC 7541
    "H2.3.3 an index beyond both tables": (COMPRESSION, request(1, GET + b"\xff\x20")),
    "H2.3.3 a name beyond both tables": (COMPRESSION, request(1, GET + b"\x7f\x20\x01b")),
    "H6.1 index 0": (COMPRESSION, request(1, GET + b"\x80")),
    "H4.2 a table larger than was allowed": (COMPRESSION, request(1, b"\x3f\xe2\x1f" + GET)),
    "H4.2 a change of the table at the end of a block": (COMPRESSION, request(1, GET + b"\x20")),
    "H5.1 a number without end": (COMPRESSION, request(1, b"\xff" + b"\xff" * 40)),
    "H5.1 a number that is cut": (COMPRESSION, request(1, GET + b"\x7f")),
    "H5.2 a string that is cut": (COMPRESSION, request(1, GET + b"\0\x01a\x05bc")),
    "H5.2 padding of more than 7 bits": (COMPRESSION, request(1, GET + b"\0\x01a\x82\x1f\xff")),
    "H5.2 padding of zeros": (COMPRESSION, request(1, GET + b"\0\x01a\x81\x18")),
    "H5.2 the end of string within a string": (COMPRESSION, request(1, GET + b"\0\x01a\x84\xff\xff\xff\xff")),
}

#: One stream ends with one of these codes; the connection goes on.
STREAM_ERRORS: dict[str, tuple[set[int], bytes]] = {
    # 5.1, states of a stream
    "5.1 DATA on a half-closed stream": ({STREAM_CLOSED}, HALF_CLOSED + frame(DATA, END_STREAM, 1, b"x")),
    "5.1 HEADERS on a half-closed stream": ({STREAM_CLOSED}, HALF_CLOSED + request(1)),
    "5.1 DATA behind our answer": ({STREAM_CLOSED}, request(1) + frame(DATA, END_STREAM, 1, b"x")),
    # 6.3, 6.9
    "6.3 a short PRIORITY": ({FRAME_SIZE}, OPEN + frame(PRIORITY, NONE, 1, bytes(4))),
    "6.3 a long PRIORITY": ({FRAME_SIZE}, OPEN + frame(PRIORITY, NONE, 1, bytes(6))),
    "6.9 a window of nothing for a stream": ({PROTOCOL}, OPEN + frame(WINDOW_UPDATE, NONE, 1, number(0))),
    "6.9.1 too large a window of a stream": (
        {FLOW_CONTROL},
        OPEN + frame(WINDOW_UPDATE, NONE, 1, number(2**31 - 1)),
    ),
    # 8.1, the order of frames
    "8.1 a second HEADERS that does not end": (
        {PROTOCOL},
        OPEN + frame(HEADERS, END_HEADERS, 1, fields((b"a", b"b"))),
    ),
    "8.1 pseudo-header fields in trailers": ({PROTOCOL}, OPEN + request(1, fields(METHOD))),
    "8.1 capitals in trailers": ({PROTOCOL}, OPEN + request(1, fields((b"A", b"b")))),
    "8.1 framing in trailers": ({PROTOCOL}, OPEN + request(1, fields((b"content-length", b"0")))),
    "8.1.1 less than Content-Length": ({PROTOCOL}, body(b"4", b"abc")),
    "8.1.1 more than Content-Length": ({PROTOCOL}, body(b"2", b"abc")),
    "8.1.1 less, in two frames": ({PROTOCOL}, body(b"5", b"ab", b"cd")),
    "8.1.1 more, in two frames": ({PROTOCOL}, body(b"3", b"ab", b"cd")),
    "8.1.1 nothing of what was promised": ({PROTOCOL}, like((b"content-length", b"1"))),
    "8.1.1 a Content-Length that is none": ({PROTOCOL}, like((b"content-length", b"x"))),
    "8.1.1 a negative Content-Length": ({PROTOCOL}, body(b"-1", b"")),
    "8.1.1 two Content-Lengths": ({PROTOCOL}, like((b"content-length", b"0"), (b"content-length", b"0"))),
    # 8.2, fields
    "8.2.1 capitals in a name": ({PROTOCOL}, like((b"A", b"b"))),
    "8.2.1 a capital at its end": ({PROTOCOL}, like((b"aB", b"b"))),
    "8.2.1 an empty name": ({PROTOCOL}, like((b"", b"b"))),
    "8.2.1 a space in a name": ({PROTOCOL}, like((b"a b", b"c"))),
    "8.2.1 a colon in a name": ({PROTOCOL}, like((b"a:b", b"c"))),
    "8.2.1 a control in a name": ({PROTOCOL}, like((b"a\x01", b"c"))),
    "8.2.1 DEL in a name": ({PROTOCOL}, like((b"a\x7f", b"c"))),
    "8.2.1 non-ASCII in a name": ({PROTOCOL}, like((b"a\xe4", b"c"))),
    "8.2.1 NUL in a value": ({PROTOCOL}, like((b"a", b"b\0c"))),
    "8.2.1 LF in a value": ({PROTOCOL}, like((b"a", b"b\nc"))),
    "8.2.1 CR in a value": ({PROTOCOL}, like((b"a", b"b\rc"))),
    "8.2.1 CR LF in a value": ({PROTOCOL}, like((b"a", b"b\r\nHost: c"))),
    "8.2.1 a space before a value": ({PROTOCOL}, like((b"a", b" b"))),
    "8.2.1 a tab behind a value": ({PROTOCOL}, like((b"a", b"b\t"))),
    "8.2.2 Connection": ({PROTOCOL}, like((b"connection", b"keep-alive"))),
    "8.2.2 Keep-Alive": ({PROTOCOL}, like((b"keep-alive", b"timeout=5"))),
    "8.2.2 Proxy-Connection": ({PROTOCOL}, like((b"proxy-connection", b"keep-alive"))),
    "8.2.2 Transfer-Encoding": ({PROTOCOL}, like((b"transfer-encoding", b"chunked"))),
    "8.2.2 Upgrade": ({PROTOCOL}, like((b"upgrade", b"h2c"))),
    "8.2.2 TE that is not trailers": ({PROTOCOL}, like((b"te", b"trailers, deflate"))),
    # 8.3, pseudo-header fields
    "8.3 an unknown one": ({PROTOCOL}, like((b":test", b"x"))),
    "8.3 one of responses": ({PROTOCOL}, like((b":status", b"200"))),
    "8.3 one behind a field": ({PROTOCOL}, pseudo(METHOD, SCHEME, (b"a", b"b"), PATH, AUTHORITY)),
    "8.3.1 no method": ({PROTOCOL}, pseudo(SCHEME, PATH, AUTHORITY)),
    "8.3.1 no scheme": ({PROTOCOL}, pseudo(METHOD, PATH, AUTHORITY)),
    "8.3.1 no path": ({PROTOCOL}, pseudo(METHOD, SCHEME, AUTHORITY)),
    "8.3.1 an empty path": ({PROTOCOL}, pseudo(METHOD, SCHEME, (b":path", b""), AUTHORITY)),
    "8.3.1 a path without a slash": ({PROTOCOL}, pseudo(METHOD, SCHEME, (b":path", b"a"), AUTHORITY)),
    "8.3.1 an asterisk without OPTIONS": ({PROTOCOL}, pseudo(METHOD, SCHEME, (b":path", b"*"), AUTHORITY)),
    "8.3.1 two methods": ({PROTOCOL}, pseudo(METHOD, METHOD, SCHEME, PATH, AUTHORITY)),
    "8.3.1 two schemes": ({PROTOCOL}, pseudo(METHOD, SCHEME, SCHEME, PATH, AUTHORITY)),
    "8.3.1 two paths": ({PROTOCOL}, pseudo(METHOD, SCHEME, PATH, PATH, AUTHORITY)),
    "8.3.1 two authorities": ({PROTOCOL}, pseudo(METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY)),
    "8.3.1 a method that is no token": ({PROTOCOL}, pseudo((b":method", b"G T"), SCHEME, PATH, AUTHORITY)),
    "8.3.1 two Hosts": ({PROTOCOL}, like((b"host", b"a"), (b"host", b"a"))),
    # RFC 8441
    "R4 :protocol without CONNECT": (
        {PROTOCOL},
        pseudo(METHOD, *WEBSOCKET[1:]),
    ),
    "R4 an extended CONNECT without a path": ({PROTOCOL}, pseudo(*WEBSOCKET[:3], AUTHORITY)),
    "R4 an extended CONNECT without a scheme": ({PROTOCOL}, pseudo(*WEBSOCKET[:2], PATH, AUTHORITY)),
}

#: Where an engine ends the connection instead, as 5.4.1 lets everybody do.
COARSE = {
    "native": {"6.3 a short PRIORITY", "6.3 a long PRIORITY"},
    "h2": {
        "6.3 a short PRIORITY",
        "6.3 a long PRIORITY",
        "6.9 a window of nothing for a stream",
        "8.1 a second HEADERS that does not end",
        "8.1.1 less than Content-Length",
        "8.1.1 more than Content-Length",
        "8.1.1 less, in two frames",
        "8.1.1 more, in two frames",
        "8.1.1 a Content-Length that is none",
        "8.1.1 a negative Content-Length",
    },
}

#: Served, or refused with a status; the connection goes on.
STATUSES: dict[str, tuple[int, bytes]] = {
    "3.4 a request at once": (200, request()),
    "4.1 a reserved bit before the stream": (200, frame(HEADERS, 5, 1 | 1 << 31, GET)),
    "4.1 flags that nobody knows": (200, frame(HEADERS, 5 | 0xD2, 1, GET)),
    "4.1 flags that nobody knows, on PING": (200, frame(PING, 0xFE, 0, bytes(8)) + request()),
    "4.1 flags that nobody knows, on DATA": (200, request(1, POST, 4) + frame(DATA, 0xF7, 1, b"abc")),
    "4.2 DATA of 16,384": (200, request(1, POST, 4) + frame(DATA, END_STREAM, 1, bytes(16_384))),
    "4.3 a block in three frames": (
        200,
        frame(HEADERS, END_STREAM, 1, GET[:2])
        + frame(CONTINUATION, 0, 1, GET[2:])
        + frame(CONTINUATION, 4, 1),
    ),
    "4.3 a block in single bytes": (
        200,
        frame(HEADERS, END_STREAM, 1)
        + b"".join(frame(CONTINUATION, 0, 1, GET[at : at + 1]) for at in range(len(GET)))
        + frame(CONTINUATION, END_HEADERS, 1),
    ),
    "5.1.1 streams may be left out": (200, request(7) + request(11) + request(101)),
    "5.1 PRIORITY on an idle stream": (200, frame(PRIORITY, 0, 3, b"\0\0\0\0\x10") + request()),
    "5.1 PRIORITY on a closed stream": (200, request() + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
    "5.1 WINDOW_UPDATE behind our answer": (200, request() + frame(WINDOW_UPDATE, 0, 1, number(1))),
    "5.5 unknown frames": (200, frame(99) + frame(0xFA, 0xFF, 7, b"abc") + request()),
    "6.1 padding": (200, request(1, POST, 4) + frame(DATA, PADDED | END_STREAM, 1, b"\x03abc\0\0\0")),
    "6.1 nothing but padding": (
        200,
        request(1, POST, 4) + frame(DATA, 9, 1, b"\x03\0\0\0"),
    ),
    "6.1 empty DATA ends the body": (200, request(1, POST, 4) + frame(DATA, END_STREAM, 1)),
    "6.2 padding": (200, frame(HEADERS, 5 | PADDED, 1, b"\x03" + GET + bytes(3))),
    "6.2 a priority": (200, frame(HEADERS, 5 | PRIORITIZED, 1, b"\x80\0\0\3\xff" + GET)),
    "6.2 both": (200, frame(HEADERS, 5 | PRIORITIZED | PADDED, 1, b"\x02\0\0\0\0\1" + GET + bytes(2))),
    "6.5.2 a setting nobody knows": (200, setting(0xFF, 1) + request()),
    "6.5.2 no table for our fields": (200, setting(1, 0) + request()),
    "6.5.2 larger frames": (200, setting(5, 2**24 - 1) + request()),
    "6.5.2 pushes allowed and forbidden": (200, setting(2, 1) + setting(2, 0) + request()),
    "6.5.3 of two values the last one": (
        200,
        frame(SETTINGS, 0, 0, b"\0\4" + number(0) + b"\0\4" + number(65_535)) + request(),
    ),
    "8.1 trailers": (200, request(1, POST, 4) + frame(DATA, 0, 1, b"abc") + request(1, TRAILERS)),
    "8.1 trailers without a body": (200, request(1, POST, 4) + request(1, TRAILERS)),
    "8.1.1 as much as Content-Length says": (
        200,
        request(1, POST + fields((b"content-length", b"3")), 4) + frame(DATA, 1, 1, b"abc"),
    ),
    "8.1.1 a Content-Length of 0": (200, like((b"content-length", b"0"))),
    "8.2.1 an empty value": (200, like((b"a", b""))),
    "8.2.1 obs-text": (200, like((b"a", b"\xe4\xff"))),
    "8.2.2 TE: trailers": (200, like((b"te", b"trailers"))),
    "8.2.3 cookies in crumbs": (200, like((b"cookie", b"a=b"), (b"cookie", b"c=d"))),
    "8.3.1 Host instead of :authority": (200, pseudo(METHOD, SCHEME, PATH, (b"host", b"a"))),
    "8.3.1 Host that agrees": (200, like((b"host", b"A"))),
    "8.3.1 Host that does not": (400, like((b"host", b"b"))),
    "8.3.1 neither": (400, pseudo(METHOD, SCHEME, PATH)),
    "8.3.1 an authority that is none": (400, pseudo(METHOD, SCHEME, PATH, (b":authority", b"u@a"))),
    "8.3.1 https in clear text": (200, pseudo(METHOD, (b":scheme", b"https"), PATH, AUTHORITY)),
    "8.3.1 another scheme": (400, pseudo(METHOD, (b":scheme", b"ftp"), PATH, AUTHORITY)),
    "8.3.1 OPTIONS *": (200, pseudo((b":method", b"OPTIONS"), SCHEME, (b":path", b"*"), AUTHORITY)),
    "8.3.1 a method nobody has": (501, pseudo((b":method", b"A" * 33), SCHEME, PATH, AUTHORITY)),
    "8.5 CONNECT": (501, pseudo((b":method", b"CONNECT"), (b":authority", b"a:80"))),
    "10.1.1 an expectation nobody knows": (
        417,
        request(1, POST + fields((b"expect", b"wonders")), 4),
    ),
    "R5 an extended CONNECT to something else": (
        501,
        pseudo(CONNECT, (b":protocol", b"x"), *WEBSOCKET[2:]),
    ),
    "R5 a WebSocket of another version": (
        426,
        request(1, fields(*WEBSOCKET, (b"sec-websocket-version", b"12")), 4),
    ),
    "H6.1 an index": (200, request(1, GET + b"\x90")),
    "H6.2.1 literal with an index, name from the table": (200, request(1, b"\x82\x86\x84\x41\x01a")),
    "H6.2.1 literal with an index, new name": (200, request(1, GET + b"\x40\x01a\x01b")),
    "H6.2.2 literal without an index": (200, request(1, GET + b"\x0f\x2b\x01b")),
    "H6.2.3 literal that is never indexed": (200, request(1, GET + b"\x10\x01a\x01b")),
    "H6.2.1 what was put into the table": (200, request(1, b"\x82\x86\x84\x41\x01a\x40\x01b\x01c\xbe\xbe")),
    "H5.2 Huffman": (200, request(1, GET + b"\0" + huffman(b"custom-key") + huffman(b"custom value"))),
    "H4.2 a smaller table": (200, request(1, b"\x20" + GET)),
    "H4.2 a smaller one, then a larger one": (200, request(1, b"\x20\x3f\xe1\x1f" + GET)),
    "H4.4 an entry larger than the table": (
        200,
        request(1, b"\x3f\x02" + GET + b"\x40\x01a\x3f%b" % (b"b" * 63)),
    ),
}
