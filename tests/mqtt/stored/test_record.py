"""Records of sessions as bytes."""

from __future__ import annotations

import msgspec
import pytest

from channels.mqtt.stored.record import (
    Mark,
    Record,
    Sent,
    StoredSubscription,
    decode_record,
    encode_record,
    record_key,
)

FULL = Record(
    100,
    0.0,
    7,
    [StoredSubscription("a/+", 1, True, False, 2, 9)],
    {"a/b": Mark(3, "e", 5)},
    [Sent(1, "a/b", Mark(2, "e", 4), 1), Sent(2)],
    {4: "key", 5: ""},
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode_record(encode_record(FULL), 1e12) == FULL


def test_a_session_whose_time_is_over_is_none() -> None:
    record = msgspec.structs.replace(FULL, deadline=50.0)
    assert decode_record(encode_record(record), 49.0) == record
    assert decode_record(encode_record(record), 50.0) is None
    assert decode_record(b"", 0.0) is None


def test_a_release_with_fewer_or_more_fields_is_read() -> None:
    assert decode_record(msgspec.msgpack.encode((100.0,)), 0.0) == Record(100)
    longer = [*msgspec.msgpack.decode(encode_record(FULL)), "new"]
    assert decode_record(msgspec.msgpack.encode(longer), 0.0) == FULL


@pytest.mark.parametrize("other", [("1", "2:c"), ("12", ":c"), ("", "12:c"), ("12:", "c")])
def test_no_two_clients_have_the_same_key(other: tuple[str, str]) -> None:
    assert record_key(("12", "c")) != record_key(other)
    assert len(record_key(("", "c" * 65_000))) < 80


def test_marks_of_neighbours() -> None:
    assert Mark(5, "e", 70).before() == Mark(4, "e", 69, next_time=70)
    assert Mark(4, "e", 69, next_time=70).after() == Mark(5, "e", 70)
