"""The translation only; what both engines must do is in ``test_http1``."""

import pytest

from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http1.engine_h11 import read_head

HEAD = b"POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def read_chunks():
    return read_head(HEAD)[1]


def test_a_head():
    headers = [(b"host", b"b"), (b"transfer-encoding", b"chunked")]
    assert read_head(HEAD)[0] == (b"POST", b"/a", b"1.1", headers)


@pytest.mark.parametrize(
    "fields",
    [
        b"X: a\x01b",
        b"X: a\n b",
        b"X: a\r\n b",
        b"Content-Length: 1\r\nContent-Length: 1",
        b"Content-Length: 1, 1",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked",
    ],
)
def test_what_h11_permits_and_we_do_not(fields):
    with pytest.raises(MalformedMessage):
        read_head(b"GET / HTTP/1.1\r\nHost: b\r\n" + fields + b"\r\n\r\n")


def test_a_length():
    head = b"GET / HTTP/1.1\r\nHost: b\r\nContent-Length: \t1 \r\n\r\n"
    assert read_head(head)[0][3] == [(b"host", b"b"), (b"content-length", b"1")]


@pytest.mark.parametrize(
    "head", [b"GET\r\n\r\n", HEAD.replace(b"b\r", b"\x85\r"), b"\r\n\r\n", b"GET / HTTP/1.1"]
)
def test_a_head_that_is_none(head):
    with pytest.raises(MalformedMessage):
        read_head(head)


def test_chunks(read_chunks):
    assert read_chunks(b"3\r\nab") == (b"ab", None)
    assert read_chunks(b"c\r\n1\r\nd\r\n") == (b"cd", None)
    assert read_chunks(b"0\r\nX-A: b\r\n\r\n") == (b"", [(b"x-a", b"b")])


def test_bad_chunks(read_chunks):
    with pytest.raises(MalformedMessage) as caught:
        read_chunks(b"3\r\nabc\r\nx\r\n")
    assert caught.value.data == b"abc"
