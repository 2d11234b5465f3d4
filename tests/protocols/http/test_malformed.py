import pytest

from channels.protocols.http.malformed import MalformedMessage, has_forbidden_bytes


@pytest.mark.parametrize(
    "data", [b"", b"a: b\r\n", b"\xff\xc3\xa4\t~ ", b"a\r\nb\r", bytearray(b"a\r\n\r\n")]
)
def test_what_a_head_may_hold(data):
    assert not has_forbidden_bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\x0b", b"\x0c", b"\x1c", b"\x1f", b"\x7f", b"\x85", b"\n", b"\ra", b"a\r\n b", b"a\r\n\tb"],
)
def test_what_no_head_may_hold(data):
    assert has_forbidden_bytes(data)


def test_the_error_carries_its_data():
    error = MalformedMessage(418, "teapot", b"tea")
    assert (error.status, error.reason, error.data) == (418, "teapot", b"tea")
