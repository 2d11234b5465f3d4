import pytest
from h2.errors import ErrorCodes

from channels.protocols.http2.frame_checks import (
    check_connection,
    check_priority,
    check_size,
    content_length,
    unpadded,
    window_fault,
)
from channels.protocols.http2.frames import ConnectionFault, RawFrame

PROTOCOL, SIZE = ErrorCodes.PROTOCOL_ERROR, ErrorCodes.FRAME_SIZE_ERROR


def raw(payload, flags=0, stream_id=1):
    return RawFrame(0, flags, stream_id, b"", payload)


def test_padding():
    assert unpadded(raw(b"\1abc"), b"\1abc") == b"\1abc", "not padded"
    assert unpadded(raw(b"", 8), b"\1abc") == b"ab"
    assert unpadded(raw(b"", 8), b"\3abc") == b""


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (lambda: unpadded(raw(b"", 8), b"\4abc"), PROTOCOL),
        (lambda: unpadded(raw(b"", 8), b""), SIZE),
        (lambda: check_priority(1, b"\0\0\0\1\0"), PROTOCOL),
        (lambda: check_priority(1, b"\x80\0\0\1\0"), PROTOCOL),
        (lambda: check_priority(1, bytes(4)), SIZE),
        (lambda: check_size(raw(b"abc"), 4), SIZE),
        (lambda: check_connection(raw(b"")), PROTOCOL),
    ],
)
def test_what_is_wrong(check, code):
    with pytest.raises(ConnectionFault) as caught:
        check()
    assert caught.value.code == code


def test_what_is_right():
    check_priority(1, b"\0\0\0\3\0")
    check_size(raw(b"abc"), 3)
    check_connection(raw(b"", 0, 0))


def test_a_window_opens_by_too_much_or_nothing():
    assert window_fault(1).code == ErrorCodes.FLOW_CONTROL_ERROR
    assert window_fault(0).code == PROTOCOL


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], None),
        ([(b"a", b"1"), (b"content-length", b"12")], 12),
        ([(b"content-length", b"a")], None),
    ],
)
def test_the_length_of_a_body(fields, length):
    assert content_length(fields) == length
