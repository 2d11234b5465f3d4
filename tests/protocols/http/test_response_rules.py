import pytest

from channels.protocols.http.response_rules import (
    BODYLESS,
    LENGTHLESS,
    Phase,
    body_left,
    check_informational,
    check_length,
    out_of_turn,
    too_short,
)


def test_what_has_no_body_and_what_no_length():
    assert {101, 204, 304} == BODYLESS
    assert LENGTHLESS < BODYLESS
    assert 304 not in LENGTHLESS  # it may tell the length that a 200 would have


@pytest.mark.parametrize("status", [99, 101, 200])
def test_no_informational_status(status):
    with pytest.raises(ValueError, match=f"100 or 102 to 199, not {status}"):
        check_informational(status)
    check_informational(100)
    check_informational(103)


def test_the_length_of_a_response():
    check_length([])
    check_length([b"12", b"12"])
    with pytest.raises(ValueError, match="several different Content-Length headers"):
        check_length([b"12", b"13"])
    with pytest.raises(ValueError, match="Content-Length is a number of bytes, not"):
        check_length([b"+1"])


def test_a_body_is_held_to_its_length():
    assert body_left(5, 5) == 0
    with pytest.raises(ValueError, match="6 bytes were to be sent where 5 are left"):
        body_left(5, 6)
    assert str(too_short(2)) == "The response body ended 2 bytes short of its Content-Length."


def test_out_of_turn():
    assert str(out_of_turn("a body", Phase.HEAD)) == "Cannot send a body now: no response has begun."
