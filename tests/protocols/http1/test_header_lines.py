"""Fields of responses that were checked before."""

import pytest

from channels.protocols.http1 import header_lines as http1_fields
from channels.protocols.http1.header_lines import (
    MAX_LINES,
    HeaderLineCache,
    SimpleHeadersCache,
    lines,
    lines_of,
)


def test_lines_are_written_once():
    lines = HeaderLineCache()
    assert lines[(b"x-a", b"b")] is lines[(b"x-a", b"b")]
    assert lines[(b"X-A", b"b")] == b"X-A: b\r\n"


@pytest.mark.parametrize(
    "field",
    [
        (b"x-long", b"x" * 129),
        (b"Set-Cookie", b"a=b"),
        (b"authorization", b"a"),
        (b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ],
)
def test_long_secret_and_single_values_are_not_kept(field):
    lines = HeaderLineCache()
    assert lines[field] == b"%b: %b\r\n" % field
    assert not lines


def test_the_lines_kept_are_bounded():
    lines = HeaderLineCache()
    for number in range(MAX_LINES + 5):
        assert lines[(b"content-length", b"%d" % number)] == b"content-length: %d\r\n" % number
        assert len(lines) <= MAX_LINES


# Fields of whole responses


def find(*fields):
    return SimpleHeadersCache().find(fields)


def test_fields_are_known_together():
    fields = (b"Content-Type", b"text/plain"), (b"X-Kept", b"1")
    found = find(*fields)
    assert (found.headers, found.length) == (fields, None)
    assert lines_of[found] == b"Content-Type: text/plain\r\nX-Kept: 1\r\n"
    assert (find().headers, lines_of[find()]) == ((), b"")


def test_a_length_is_known():
    assert find((b"Content-Length", b"12")).length == 12


def test_what_is_known_is_looked_up():
    plain, fields = SimpleHeadersCache(), ((b"x-again", b"1"),)
    assert plain.find(fields) is plain.find(tuple(list(fields)))


@pytest.mark.parametrize(
    "fields",
    [
        ((b"x bad", b"1"),),
        ((b"x-bad", b"1\r\n"),),
        ((b"x-bad", None),),
        (("content-type", "text/plain"),),
        ([b"content-type", b"text/plain"],),
        (b"content-type",),
        (None,),
    ],
)
def test_what_cannot_be_sent_is_not_known(fields):
    assert SimpleHeadersCache().find(fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        ((b"Connection", b"close"),),
        ((b"transfer-encoding", b"chunked"),),
        ((b"Date", b"today"),),
        ((b"server", b"mine"),),
        ((b"content-length", b"1"), (b"Content-Length", b"1")),
        ((b"content-length", b"+1"),),
        ((b"set-cookie", b"a=b"),),
        ((memoryview(b"content-type"), b"text/plain"),),
        tuple((b"x-%d" % number, b"") for number in range(25)),
    ],
)
def test_what_settles_more_than_a_length_is_not_plain(fields):
    lines[b"content-type", b"text/plain"]  # which a memoryview equals
    assert find(*fields) is None


def test_what_is_kept_together_is_bounded(monkeypatch):
    monkeypatch.setattr(http1_fields, "MAX_PLAIN", 3)
    plain = SimpleHeadersCache()
    for number in range(7):
        fields = ((b"x-number", b"%d" % number),)
        assert plain.find(fields).headers == fields
        assert 1 <= len(plain) <= 3
