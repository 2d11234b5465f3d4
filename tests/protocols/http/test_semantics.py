"""What a head means; the tables that both engines pass are in ``test_http1``."""

import pytest

from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http.semantics import (
    CHUNKED,
    explain_rejection,
    interpret_head,
    judge_trailers,
    scan_head,
    tokens,
)


def judged(target=b"/", version=b"1.1", method=b"GET", host=b"a", **fields):
    headers = [(b"host", host)] if host is not None else []
    headers += [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return interpret_head((method, target, version, headers), 7, 100, 5)


def refused(**options):
    with pytest.raises(MalformedMessage) as caught:
        judged(**options)
    return caught.value.status


def refused_fields(*headers):
    with pytest.raises(MalformedMessage) as caught:
        interpret_head((b"GET", b"/", b"1.1", list(headers)), 1, 100, 5)
    return caught.value.status, caught.value.reason


def test_tokens():
    assert tokens(b" Keep-Alive,,\tUPGRADE , close") == {b"keep-alive", b"upgrade", b"close"}
    assert tokens(b"") == frozenset()


def test_the_event_carries_the_stream():
    event, length, persistent = judged()
    assert (event.stream_id, event.method, length, persistent) == (7, "GET", 0, True)


def test_old_requests_need_no_host():
    event, _, persistent = judged(version=b"1.0", host=None)
    assert (event.http_version, event.headers, persistent) == ("1.0", [], False)


def test_body_lengths():
    assert judged()[1] == 0
    assert judged(content_length=b"12")[1] == 12
    assert judged(transfer_encoding=b"CHUNKED")[1] == CHUNKED


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (505, {"version": b"2.0"}),
        (505, {"version": b"0.9"}),
        (431, dict.fromkeys("abcdef", b"")),
        (414, {"target": b"/" + b"a" * 100}),
        (400, {"version": b"1.0", "transfer_encoding": b"chunked"}),
        (400, {"transfer_encoding": b"chunked", "content_length": b"1"}),
        (501, {"transfer_encoding": b"br, gzip, chunked"}),
        (400, {"transfer_encoding": b"chunked, gzip"}),
        (400, {"transfer_encoding": b"chunked, chunked"}),
        (400, {"transfer_encoding": b", chunked"}),
        (400, {"content_length": b"x"}),
        (400, {"content_length": b"1" * 19}),
        (400, {"host": None}),
        (400, {"host": None, "version": b"1.2"}),
        (400, {"host": b"a b"}),
        (400, {"host": b"[::1"}),
        (400, {"host": b"a:123456"}),
        (400, {"target": b"/\xc3\xa4"}),
        (400, {"target": b"/#"}),
        (501, {"method": b"CONNECT", "target": b"a:1"}),
        (501, {"method": b"A" * 33}),
        (400, {"target": b"*"}),
        (400, {"target": b"gopher://a"}),
        (400, {"target": b"http://b/", "host": b"a"}),
        (400, {"target": b"http://a:80/", "host": b"a"}),
        (400, {"target": b"http://a b/"}),
        (417, {"content_length": b"1", "expect": b"200-ok"}),
    ],
)
def test_refusals(status, options):
    assert refused(**options) == status


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding"])
def test_what_must_not_repeat(name):
    assert refused_fields((name, b"1"), (name, b"1")) == (400, f"repeated {name.decode()} header")


def test_lists_may_repeat():
    headers = [(b"host", b"a"), (b"connection", b"a"), (b"x", b"1"), (b"x", b"2"), (b"connection", b"close")]
    event, _, persistent = interpret_head((b"GET", b"/", b"1.1", headers), 1, 100, 5)
    assert (event.headers, persistent) == (headers, False)


@pytest.mark.parametrize(
    ("target", "method", "reduced"),
    [
        (b"http://a", b"GET", b"/"),
        (b"HTTP://A", b"OPTIONS", b"*"),
        (b"https://a/b?c", b"GET", b"/b?c"),
        (b"http://a?c", b"OPTIONS", b"/?c"),
        (b"*", b"OPTIONS", b"*"),
        (b"//b", b"GET", b"//b"),
    ],
)
def test_targets(target, method, reduced):
    assert judged(target=target, method=method, host=b"a")[0].target == reduced


def test_expectations():
    assert judged(content_length=b"1", expect=b"100-CONTINUE")[0].expects_continue
    assert not judged(content_length=b"1")[0].expects_continue
    assert not judged(expect=b"100-continue")[0].expects_continue


def test_upgrades():
    assert judged(connection=b"upgrade", upgrade=b"h2c, WebSocket")[0].upgrade == b"websocket"
    assert judged(connection=b"upgrade", upgrade=b"H2C")[0].upgrade == b"h2c"
    assert judged(connection=b"upgrade")[0].upgrade == b""
    assert judged(connection=b"upgrade", upgrade=b"h2c", version=b"1.0")[0].upgrade == b""


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (400, b"GET\r\n\r\n"),
        (505, b"GET / HTTP/3.0\r\n\r\n"),
        (400, b"GET /# HTTP/3.0\r\n\r\n"),
        (414, b"GET /aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\n" + b"A:\r\n" * 6 + b"\r\n"),
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX\r\nTransfer-Encoding: Chunked \r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nContent-length: 1\r\nTransfer-Encoding: gzip\r\n\r\n"),
        (501, b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    ],
)
def test_the_status_of_a_head_that_no_engine_takes(status, head):
    assert explain_rejection(head, 20, 5).status == status


def test_screening_in_parts_finds_what_screening_at_once_finds():
    clean = b"GET / HTTP/1.1\r\nHost: a\r\n"
    for dirt in (b"\n", b"\rx", b" folded", b"\tfolded", b"X: \0", b"X: \x85", b"X: a\nY: b"):
        data = clean + dirt
        assert scan_head(data, 0, 100, 100).status == 400
        for start in range(len(clean) + 1):
            assert scan_head(data[:start], 0, 100, 100) is None
            assert scan_head(data, start, 100, 100).status == 400


def test_screening_never_tears_a_line_end_apart():
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n"
    for start in range(len(data) + 1):
        assert scan_head(data, start, 100, 100) is None


def test_screening_for_size():
    assert scan_head(b"A" * 143, 0, 100, 1000).status == 414
    assert scan_head(b"A" * 142, 0, 100, 1000) is None
    assert scan_head(b"A\r\n" + b"X: y\r\n" * 17, 0, 100, 100).status == 431


def test_trailers():
    judge_trailers([(b"x-sum", b"1\t2")])
    for field in ((b"host", b"a"), (b"content-length", b"1"), (b"x", b"\0"), (b"x", b"a\r")):
        with pytest.raises(MalformedMessage, match="forbidden field in the trailers"):
            judge_trailers([field])
