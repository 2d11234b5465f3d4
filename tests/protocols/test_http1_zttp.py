"""The translation only; what both engines must do is in ``test_http1``."""

import pytest

from channels.protocols.http1_message import MalformedMessage
from channels.protocols.http1_zttp import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, read_head

HEAD = b"POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def read_chunks():
    return read_head(HEAD)[1]


def test_a_head():
    headers = [(b"host", b"b"), (b"transfer-encoding", b"chunked")]
    assert read_head(HEAD)[0] == (b"POST", b"/a", b"1.1", headers)


def test_the_largest_heads_that_it_is_given():
    start, end = b"GET /", b" HTTP/1.1\r\nHost: b\r\n\r\n"
    target = b"a" * (MAX_HEAD_BYTES - len(start + end))
    assert len(read_head(start + target + end)[0][1]) == len(target) + 1
    fields = b"X: y\r\n" * (MAX_HEAD_FIELDS - 1)
    assert len(read_head(b"GET / HTTP/1.1\r\nHost: b\r\n" + fields + b"\r\n")[0][3]) == MAX_HEAD_FIELDS


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
