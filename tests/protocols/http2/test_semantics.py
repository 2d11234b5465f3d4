import pytest

from channels.protocols.events import RequestReceived
from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http2.semantics import (
    MalformedRequest,
    header_list_size,
    judge_request,
    judge_trailing_fields,
    outgoing_fields,
)
from tests.protocols.http2_peer import GET, POST, WEBSOCKET


def judged(fields, ended=True, max_target=100):
    return judge_request(1, fields, ended, max_target)


def changed(name, value, fields=GET):
    return [(key, value if key == name else old) for key, old in fields]


def test_a_request():
    fields = [*GET, (b"accept", b"*/*"), (b"x", b"1"), (b"x", b""), (b"te", b"trailers")]
    assert judged(fields) == RequestReceived(
        1,
        "GET",
        b"/",
        [(b"host", b"a"), (b"accept", b"*/*"), (b"x", b"1"), (b"x", b""), (b"te", b"trailers")],
        "2",
        True,
        scheme=b"https",
    )


def test_a_websocket():
    event = judged(WEBSOCKET, ended=False)
    assert (event.method, event.upgrade, event.ended) == ("CONNECT", b"websocket", False)


HOST, AUTHORITY = (b"host", b"A:1"), (b":authority", b"A:1")


@pytest.mark.parametrize("fields", [[HOST], [AUTHORITY], [AUTHORITY, (b"x", b"y"), (b"host", b"a:1")]])
def test_host_comes_first(fields):
    headers = judged([*GET[:3], *fields]).headers
    assert headers[0] == (b"host", b"A:1")
    assert [name for name, _ in headers].count(b"host") == 1


def test_crumbs_of_cookies():
    fields = [*GET, (b"a", b"1"), (b"cookie", b"a=1"), (b"b", b"2"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    assert judged(fields).headers[1:] == [(b"a", b"1"), (b"cookie", b"a=1; b=2; c=3"), (b"b", b"2")]
    assert judged([*GET, (b"cookie", b"a=1")]).headers[1:] == [(b"cookie", b"a=1")]


def test_who_waits_for_100():
    fields = [*POST, (b"expect", b"100-Continue")]
    assert judged(fields, ended=False).expects_continue
    assert not judged(fields).expects_continue


def test_all_resources():
    assert judged(changed(b":path", b"*", [(b":method", b"OPTIONS"), *GET[1:]])).target == b"*"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        GET[1:],
        GET[:1] + GET[2:],
        GET[:2] + GET[3:],
        [*GET, GET[0]],
        [*GET, (b":status", b"200")],
        [*GET, (b":unknown", b"")],
        [*GET[:3], (b"a", b"b"), GET[3]],
        [*GET, (b":protocol", b"websocket")],
        changed(b":method", b""),
        changed(b":method", b"G T"),
        changed(b":path", b""),
        changed(b":path", b"a"),
        changed(b":path", b"*"),
        [*GET, (b"Upper", b"")],
        [*GET, (b"", b"")],
        [*GET, (b"a b", b"")],
        [*GET, (b"a" * 70 + b":", b"")],
        [*GET, (b"a", b" b")],
        [*GET, (b"a", b"b\t")],
        [*GET, (b"a", b"b\0c")],
        [*GET, (b"a", b"b\r\nc")],
        [*GET, (b"a", b"b\nc")],
        [*GET, (b"a", b"b\x85c")],
        [*GET, (b"connection", b"close")],
        [*GET, (b"keep-alive", b"1")],
        [*GET, (b"proxy-connection", b"close")],
        [*GET, (b"transfer-encoding", b"chunked")],
        [*GET, (b"upgrade", b"h2c")],
        [*GET, (b"te", b"gzip")],
        [*GET, (b"host", b"a"), (b"host", b"a")],
        [*GET, (b"content-length", b"0"), (b"content-length", b"0")],
        [*GET, (b"content-length", b"1")],
    ],
)
def test_malformed(fields):
    with pytest.raises(MalformedRequest) as caught:
        judged(fields)
    assert caught.value.reason.isprintable()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (changed(b":path", b"/" + b"a" * 100), 414),
        (changed(b":path", b"/\xff"), 400),
        (changed(b":path", b"/#a"), 400),
        (changed(b":scheme", b"ftp"), 400),
        (changed(b":authority", b"user@a"), 400),
        (changed(b":authority", b"a b"), 400),
        (GET[:3], 400),
        ([*GET, (b"host", b"b")], 400),
        (changed(b":method", b"A" * 33), 501),
        ([(b":method", b"CONNECT"), (b":authority", b"a:1")], 501),
        (changed(b":protocol", b"connect-udp", WEBSOCKET), 501),
    ],
)
def test_refused(fields, status):
    with pytest.raises(MalformedMessage) as caught:
        judged(fields)
    assert caught.value.status == status


def test_an_expectation_that_cannot_be_met():
    with pytest.raises(MalformedMessage) as caught:
        judged([*POST, (b"expect", b"more")], ended=False)
    assert caught.value.status == 417


def test_a_long_name_is_judged_like_others():
    name = b"a" * 100
    assert judged([*GET, (name, b"")]).headers[1:] == [(name, b"")]


def test_trailers():
    assert judge_trailing_fields([(b"a", b"b")]) == [(b"a", b"b")]


@pytest.mark.parametrize("field", [(b":path", b"/"), (b"host", b"a"), (b"A", b""), (b"a", b"\n")])
def test_trailers_that_are_none(field):
    with pytest.raises(MalformedRequest):
        judge_trailing_fields([field])


def test_the_size_of_fields():
    assert header_list_size([(b"ab", b"c"), (b"", b"")]) == 67


def test_what_leaves():
    hop = [(b"Connection", b"close"), (b"transfer-encoding", b"chunked"), (b"TE", b"x")]
    assert outgoing_fields([(b"Content-Type", b"a"), *hop, (b"X", b"")]) == [
        (b"content-type", b"a"),
        (b"x", b""),
    ]


@pytest.mark.parametrize("name", [b"", b"a b", b":status", b"a\r\n", b"\xff"])
def test_names_that_cannot_leave(name):
    with pytest.raises(ValueError, match="no header name"):
        outgoing_fields([(name, b"")])


@pytest.mark.parametrize("value", [b"a\r\nb", b"\n", b"a\0"])
def test_values_that_cannot_leave(value):
    with pytest.raises(ValueError, match="b'x' cannot be sent"):
        outgoing_fields([(b"a", b"b"), (b"x", value)])


@pytest.mark.parametrize("value", [b"s3cret\n", "s3cret", None])
def test_an_error_shows_no_value(value):
    with pytest.raises((TypeError, ValueError), match=r"x|bytes") as caught:
        outgoing_fields([(b"set-cookie", b"s3cret"), (b"x", value)])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("headers", [[("a", b"b")], [(b"a", "b")], [1], [(b"a", None)]])
def test_what_is_no_header(headers):
    with pytest.raises(TypeError, match="pairs of bytes"):
        outgoing_fields(headers)
