"""The translation only; what both engines must do is in ``test_http1``."""

import pytest

from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http1.chunked import ChunkReader
from channels.protocols.http1.engine_zttp import read_head

HEAD = b"POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def read_chunks():
    return read_head(HEAD)[1]


def test_a_head():
    headers = [(b"host", b"b"), (b"transfer-encoding", b"chunked")]
    assert read_head(HEAD)[0] == (b"POST", b"/a", b"1.1", headers)


START, END = b"GET /", b" HTTP/1.1\r\nHost: b\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "reader"),
    [
        (START + b"x" * (16_384 - len(START + END)) + END, "zttp"),
        (START + b"x" * (16_385 - len(START + END)) + END, "h11"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 99 + b"Host: b\r\n\r\n", "zttp"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"Host: b\r\n\r\n", "h11"),
    ],
)
def test_heads_that_are_too_large_go_to_h11(head, reader):
    raw, read_chunks = read_head(head)
    assert isinstance(read_chunks, ChunkReader) == (reader == "h11")
    assert len(raw[1]) + 4 * len(raw[3]) > 400


def test_quotation_marks_in_the_target_go_to_h11():
    raw, read_chunks = read_head(b'GET /?a="b" HTTP/1.1\r\nHost: b\r\n\r\n')
    assert raw[1] == b'/?a="b"'
    assert isinstance(read_chunks, ChunkReader)


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
