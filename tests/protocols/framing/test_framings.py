"""Framings: whatever the pieces, the same messages; what is malformed or too large is refused at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from channels.protocols.framing.framings import Fixed, LengthPrefix, Lines, Netstring, Raw, new_framing
from channels.protocols.framing.interfaces import FramingError

#: A framing, bytes of a peer, the messages in them, and how many bytes of a message are left over.
STREAMS: list[tuple[Any, bytes, list[bytes], int]] = [
    (Lines, b"one\r\ntwo\n\r\nthree", [b"one", b"two", b""], 5),
    (Lines, b"a\rb\r\n", [b"a\rb"], 0),
    (partial(Lines, end=b"\n"), b"a\r\nb\n", [b"a\r", b"b"], 0),
    (partial(Lines, end=b"\0"), b"a\n\0b\0c", [b"a\n", b"b"], 1),
    (partial(Lines, end=b"--"), b"a-b--c---d", [b"a-b", b"c"], 2),
    (partial(Lines, max_size=3), b"abc\r\nabc\n", [b"abc", b"abc"], 0),
    (LengthPrefix, b"\0\0\0\x03abc\0\0\0\0\0\0", [b"abc", b""], 2),
    (partial(LengthPrefix, size=2), b"\0\x02ab\0\x01c\0", [b"ab", b"c"], 1),
    (partial(LengthPrefix, size=2, byteorder="little"), b"\x02\0ab", [b"ab"], 0),
    (partial(LengthPrefix, size=1), b"\x01a\xffb", [b"a"], 2),
    (partial(Fixed, size=3), b"abcdefgh", [b"abc", b"def"], 2),
    (Netstring, b"5:hello,0:,12:hello, world,3:ab", [b"hello", b"", b"hello, world"], 4),
]


@pytest.mark.parametrize(("make", "data", "messages", "pending"), STREAMS)
@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_messages_are_the_same_however_their_bytes_come(
    make: Any, data: bytes, messages: list[bytes], pending: int, piece: int
) -> None:
    framing, found = make(), []
    for at in range(0, len(data), piece):
        found += framing.feed(data[at : at + piece])
    assert found == messages
    assert framing.pending == pending


@pytest.mark.parametrize(
    ("framing", "message", "packed"),
    [
        (Lines(), b"one", b"one\r\n"),
        (Lines(end=b"\0"), b"one\n", b"one\n\0"),
        (LengthPrefix(), b"abc", b"\0\0\0\x03abc"),
        (LengthPrefix(size=3, byteorder="little"), b"abc", b"\x03\0\0abc"),
        (Fixed(3), b"abc", b"abc"),
        (Netstring(), b"hello", b"5:hello,"),
        (Raw(), b"\0\n", b"\0\n"),
    ],
)
def test_a_message_is_packed_so_that_it_is_read_again(framing: Any, message: bytes, packed: bytes) -> None:
    assert framing.pack(message) == packed
    assert list(framing.feed(packed)) == [message]


@pytest.mark.parametrize(
    ("framing", "message", "said"),
    [
        (Lines(), b"a\nb", "own end"),
        (Lines(max_size=2), b"abc", "max_size is 2"),
        (LengthPrefix(size=1), bytes(256), "max_size is 255"),
        (LengthPrefix(2), b"abc", "max_size is 2"),
        (Fixed(3), b"ab", "each has 3"),
        (Netstring(2), b"abc", "max_size is 2"),
    ],
)
def test_what_cannot_be_one_message_is_not_packed(framing: Any, message: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        framing.pack(message)


#: A framing, what a peer sends, the messages before the mistake, and its reason.
MALFORMED: list[tuple[Any, bytes, list[bytes], str]] = [
    (partial(Lines, max_size=3), b"ok\nabcd\n", [b"ok"], "too_large"),
    (partial(Lines, max_size=3), b"ok\nabcde", [b"ok"], "too_large"),
    (partial(LengthPrefix, max_size=3), b"\0\0\0\x01a\0\0\0\x04", [b"a"], "too_large"),
    (partial(Netstring, max_size=3), b"1:a,4:", [b"a"], "too_large"),
    (partial(Netstring, max_size=3), b"1:a,44", [b"a"], "too_large"),
    (Netstring, b"1:a,x", [b"a"], "no_length"),
    (Netstring, b":,", [], "no_length"),
    (Netstring, b"03:abc,", [], "no_length"),
    (Netstring, b"-1:a,", [], "no_length"),
    (Netstring, b"3:abcd", [], "no_comma"),
]


@pytest.mark.parametrize(("make", "data", "before", "reason"), MALFORMED)
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_mistake_is_refused_behind_what_came_before_it(
    make: Any, data: bytes, before: list[bytes], reason: str, piece: int
) -> None:
    framing, found = make(), []

    def feed() -> None:
        for at in range(0, len(data), piece):
            for message in framing.feed(data[at : at + piece]):
                found.append(message)  # what came before the error counts

    with pytest.raises(FramingError) as refused:
        feed()
    assert (found, refused.value.reason) == (before, reason)


def test_a_message_of_the_largest_size_is_held_and_not_one_byte_more() -> None:
    framing = Lines(max_size=4)
    assert list(framing.feed(b"abcd\r")) == []
    assert list(framing.feed(b"\n")) == [b"abcd"]


def test_one_byte_at_a_time_costs_one_look_at_each_byte() -> None:
    """Of a line that comes slowly no byte is sought in twice."""
    framing = Lines(max_size=200_000)
    for _ in range(100):
        assert list(framing.feed(b"x" * 1000)) == []
        assert framing._seen == framing.pending
    assert list(framing.feed(b"\n")) == [b"x" * 100_000]


def test_a_reader_that_stops_early_loses_only_what_it_was_given() -> None:
    framing = Lines()
    for message in framing.feed(b"one\ntwo\nthr"):
        assert message == b"one"
        break
    assert list(framing.feed(b"ee\n")) == [b"two", b"three"]


def test_a_framing_by_its_name_or_by_its_class() -> None:
    class Doubled:
        def __init__(self, times: int = 2) -> None:
            self.times = times

        def feed(self, data: bytes) -> list[bytes]:
            return [data[:: self.times]]

        def pack(self, message: bytes) -> bytes:
            return message

    assert list(new_framing("fixed", {"size": 2}).feed(b"abcd")) == [b"ab", b"cd"]
    assert list(new_framing(Doubled, {"times": 2}).feed(b"aabb")) == [b"ab"]
    with pytest.raises(ValueError, match="lines, length-prefix, fixed, netstring, raw"):
        new_framing("line", {})
    with pytest.raises(TypeError, match="all connections would share"):
        new_framing(Doubled(), {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lines(max_size=0),
        lambda: Lines(end=b""),
        lambda: LengthPrefix(size=5),
        lambda: LengthPrefix(max_size=0),
        lambda: Fixed(0),
        lambda: Netstring(10**9),
    ],
)
def test_an_option_out_of_its_range_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"must"):
        make()
