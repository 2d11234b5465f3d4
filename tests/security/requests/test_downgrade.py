"""HTTP/2 at the proxy, HTTP/1.1 behind it: nothing in a frame becomes a second request or another header.

Directly our own HTTP/2 is spoken, with prior knowledge, which must be as strict.
"""

from __future__ import annotations

import pytest
from hpack import Decoder

from tests.conformance.http2_wire import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    fields,
    fields_of,
    frame,
    request,
)
from tests.protocols.http2_peer import frames_of
from tests.security.way import Result, Way

HELLO = PREFACE + frame(SETTINGS) + frame(SETTINGS, ACK)
Field = tuple[bytes, bytes]
BASE: dict[str, bytes] = {"method": b"GET", "scheme": b"https", "path": b"/", "authority": b"a"}
SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def get(*more: Field, leave: str = "", **pseudo: bytes) -> bytes:
    base = {name: value for name, value in (BASE | pseudo).items() if name != leave}
    return request(1, fields(*[(b":" + name.encode(), value) for name, value in base.items()], *more))


def post(body: bytes, *more: Field) -> bytes:
    block = fields(
        *[(b":" + name.encode(), value) for name, value in (BASE | {"method": b"POST"}).items()], *more
    )
    return request(1, block, END_HEADERS) + frame(DATA, END_STREAM, 1, body)


OK, BAD, RESET, CLOSED = "served / 200", "400", "reset", "closed"
#: What is sent, and what comes of it directly, behind nginx and behind HAProxy.
DOWNGRADED: dict[str, tuple[bytes, str, str, str]] = {
    "a request": (get(), OK, OK, OK),
    "a body": (post(SMUGGLED), OK, OK, OK),
    "Transfer-Encoding": (post(SMUGGLED, (b"transfer-encoding", b"chunked")), RESET, OK, RESET),
    "a length that is too small": (post(SMUGGLED, (b"content-length", b"3")), RESET, BAD, RESET),
    "a length that is too large": (post(b"abc", (b"content-length", b"30")), RESET, BAD, RESET),
    "two lengths": (
        post(SMUGGLED, (b"content-length", b"3"), (b"content-length", b"4")),
        *(RESET, BAD, RESET),
    ),
    "a length that is no number": (post(b"abc", (b"content-length", b"+3")), RESET, BAD, RESET),
    "CR LF in a value": (get((b"x", b"a\r\ntransfer-encoding: chunked")), RESET, RESET, RESET),
    "LF in a value": (get((b"x", b"a\nb: c")), RESET, RESET, RESET),
    "CR in a value": (get((b"x", b"a\rb")), RESET, RESET, RESET),
    "NUL in a value": (get((b"x", b"a\0b")), RESET, RESET, RESET),
    "CR LF in a name": (get((b"x: y\r\nz", b"a")), RESET, RESET, RESET),
    "a colon in a name": (get((b"x:y", b"a")), RESET, RESET, RESET),
    "a space in a name": (get((b"x y", b"a")), RESET, RESET, RESET),
    "an empty name": (get((b"", b"a")), RESET, CLOSED, CLOSED),
    "capitals in a name": (get((b"X-Y", b"a")), RESET, RESET, RESET),
    "CR LF in the method": (get(method=b"GET / HTTP/1.1\r\nx: y\r\n\r\nGET"), RESET, RESET, RESET),
    "a space in the method": (get(method=b"GET /x"), RESET, BAD, BAD),
    "a space in the path": (get(path=b"/ HTTP/1.1"), BAD, BAD, RESET),
    "CR LF in the path": (get(path=b"/ HTTP/1.1\r\nHost: b\r\nx: "), RESET, RESET, RESET),
    "a path without a slash": (get(path=b"x"), RESET, BAD, RESET),
    "an empty path": (get(path=b""), RESET, BAD, RESET),
    "a path in absolute form": (get(path=b"http://b/x"), RESET, BAD, RESET),
    "a fragment": (get(path=b"/#x"), BAD, BAD, RESET),
    "an asterisk": (get(path=b"*"), RESET, BAD, OK),  # HAProxy asks for / instead
    "userinfo in the authority": (get(authority=b"u@a"), BAD, BAD, BAD),
    "a path in the authority": (get(authority=b"a/b"), BAD, BAD, BAD),
    "a space in the authority": (get(authority=b"a b"), BAD, BAD, BAD),
    "CR LF in the authority": (get(authority=b"a\r\nx: y"), RESET, RESET, RESET),
    "another Host": (get((b"host", b"b")), BAD, BAD, OK),  # HAProxy sends the authority alone
    "the same Host": (get((b"host", b"a")), OK, BAD, OK),
    "Host instead of the authority": (get((b"host", b"a"), leave="authority"), OK, OK, OK),
    "neither": (get(leave="authority"), BAD, BAD, BAD),
    "a URL in the scheme": (get(scheme=b"https://b/?"), BAD, BAD, BAD),
    "another scheme": (get(scheme=b"http"), OK, OK, OK),
    "Connection": (get((b"connection", b"x-forwarded-for")), RESET, OK, RESET),
    "Keep-Alive": (get((b"keep-alive", b"1")), RESET, OK, RESET),
    "Upgrade to HTTP/2": (get((b"upgrade", b"h2c")), RESET, OK, RESET),
    "TE": (get((b"te", b"gzip")), RESET, OK, RESET),
    "TE: trailers": (get((b"te", b"trailers")), OK, OK, OK),
    "two paths": (get((b":path", b"/x")), RESET, BAD, RESET),
    "a pseudo-header behind a header": (
        get((b"x", b"y"), (b":authority", b"a"), leave="authority"),
        *(RESET, OK, RESET),
    ),
    "a pseudo-header nobody knows": (get((b":x", b"y")), RESET, BAD, RESET),
    "CONNECT": (
        request(1, fields((b":method", b"CONNECT"), (b":authority", b"a:80"))),
        *("501", BAD, "501"),
    ),
    "an address, a scheme and a root path": (
        get(
            (b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"ftp"), (b"daphne-root-path", b"/x")
        ),
        *(OK, OK, OK),
    ),
    "an address with underscores": (get((b"x_forwarded_for", b"203.0.113.9")), OK, OK, OK),
    "cookies": (get((b"cookie", b"a=b"), (b"cookie", b"c=d")), OK, OK, OK),
}


def ended(data: bytes) -> bool:
    """Whether the stream is over, or the connection."""
    return any(
        (stream == 1 and (kind == RST_STREAM or (kind in (HEADERS, DATA) and flags & END_STREAM)))
        or kind == GOAWAY
        for kind, flags, stream, _ in frames_of(data)
    )


def outcome(result: Result) -> str:
    """Which paths were served; the status, or how the stream ended without one."""
    words = ["served", *[seen.path for seen in result.seen]] if result.seen else []
    kinds = {kind: payload for kind, _, _, payload in reversed(frames_of(result.answer))}
    if HEADERS in kinds:
        words.append(fields_of(Decoder(), kinds[HEADERS])[":status"])
    elif RST_STREAM in kinds:
        words = ["reset"]  # the application may have been called before a body turned out to be wrong
    else:
        words.append("closed")
    return " ".join(words)


@pytest.mark.parametrize("name", DOWNGRADED)
def test_downgrade(open_way: Way, name: str) -> None:
    frames, *columns = DOWNGRADED[name]
    result = open_way.send(HELLO + frames, "h2", ended)
    if open_way.known_version:
        assert outcome(result) == columns[["direct", "nginx", "haproxy"].index(open_way.name)]
    assert len(result.seen) <= (result.sent_on if result.through else 1)
    for seen in result.seen:
        assert seen.path == "/"
        assert seen.headers["host"] == "a"
        assert (seen.client, seen.scope["scheme"]) == ("127.0.0.1", "https" if result.through else "http")
        assert name.startswith("a pseudo") or {"x", "x_forwarded_for"}.isdisjoint(seen.headers)
        assert SMUGGLED not in frames or seen.body == SMUGGLED or outcome(result) == RESET
