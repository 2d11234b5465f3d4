import pytest

from channels.protocols.events import RequestReceived
from channels.protocols.http.response_rules import Phase
from channels.protocols.http2.stream import Stream


def stream(method="GET"):
    return Stream(RequestReceived(1, method, b"/", [], "2", True))


def test_parts_are_taken_in_any_size():
    subject = stream()
    length, other = (b"content-length", b"9"), (b"a", b"b")
    assert subject.begin(200, [length, other]) == [other, length]
    for part in (b"abc", b"", b"def", b"ghi"):
        subject.put(part)
    assert subject.pending == 9
    assert [subject.take(size) for size in (2, 5, 0, 5)] == [b"ab", b"cdefg", b"", b"hi"]
    assert (subject.pending, subject.end([])) == (0, 0)


def test_a_body_holds_to_its_length():
    subject = stream()
    subject.begin(200, [(b"content-length", b"3"), (b"content-length", b"3")])
    subject.put(b"ab")
    with pytest.raises(ValueError, match="2 bytes were to be sent where 1 are left"):
        subject.put(b"cd")
    assert subject.pending == 2
    assert subject.end([]) == 1


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_no_body(method, status):
    subject = stream(method)
    fields = subject.begin(status, [(b"content-length", b"3")])
    assert fields == ([] if status == 204 else [(b"content-length", b"3")])
    subject.put(b"abcdef")
    assert (subject.pending, subject.end([])) == (0, 0)


def test_a_tunnel_has_no_length():
    subject = stream("CONNECT")
    assert subject.begin(200, [(b"content-length", b"3")]) == []
    assert subject.tunnel


def test_a_tunnel_that_is_refused_is_a_response_like_others():
    subject = stream("CONNECT")
    assert subject.begin(403, [(b"content-length", b"3")]) == [(b"content-length", b"3")]
    assert not subject.tunnel


@pytest.mark.parametrize("status", [101, 199, 1000, 0])
def test_status_out_of_range(status):
    with pytest.raises(ValueError, match=f"200 to 999, not {status}"):
        stream().begin(status, [])


@pytest.mark.parametrize("lengths", [(b"x",), (b"1", b"2"), (b"-1",)])
def test_lengths_that_are_none(lengths):
    subject = stream()
    with pytest.raises(ValueError, match="Content-Length"):
        subject.begin(200, [(b"content-length", length) for length in lengths])
    assert subject.phase is Phase.HEAD


def test_out_of_turn():
    subject = stream()
    for early in (lambda: subject.put(b"x"), lambda: subject.end([])):
        with pytest.raises(RuntimeError, match="no response has begun"):
            early()
    subject.begin(200, [])
    with pytest.raises(RuntimeError, match="the response has begun"):
        subject.begin(200, [])
    subject.end([(b"a", b"b")])
    assert subject.trailers == [(b"a", b"b")]
    for late in (lambda: subject.put(b"x"), lambda: subject.end([])):
        with pytest.raises(RuntimeError, match="the response is complete"):
            late()


@pytest.mark.parametrize(
    ("headers", "parts", "size", "whole"),
    [
        ([], [], 3, True),
        ([(b"content-length", b"3")], [], 3, True),
        ([(b"content-length", b"3")], [], 2, False),
        ([], [b"before"], 3, False),
    ],
)
def test_a_body_that_need_not_wait(headers, parts, size, whole):
    subject = stream()
    assert subject.ends_with(size) is False, "no response has begun"
    subject.begin(200, headers)
    for part in parts:
        subject.put(part)
    assert subject.ends_with(size) is whole
    assert (subject.phase is Phase.ENDED) is whole


def test_a_response_without_a_body_ends_without_one():
    subject = stream("HEAD")
    subject.begin(200, [])
    assert subject.ends_with(3) is False
