"""Whatever a TCP peer sends, in whatever pieces: the same messages or one error."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocols.framing.framings import Fixed, LengthPrefix, Lines, Netstring
from channels.protocols.framing.interfaces import FramingError
from tests.fuzz.budget import quick

MAX = 20
FRAMINGS: list[Any] = [
    partial(Lines, max_size=MAX),
    partial(Lines, max_size=MAX, end=b"ab"),
    partial(LengthPrefix, max_size=MAX, size=1),
    partial(LengthPrefix, max_size=MAX, size=2),
    partial(Fixed, size=7),
    partial(Netstring, max_size=MAX),
]
framings = pytest.mark.parametrize("make", FRAMINGS)
some_pieces = [b"\r\n", b"\n", b"\r", b"ab", b"3:abc,", b"\0\x02xy"]
streams = st.lists(st.binary(max_size=6) | st.sampled_from(some_pieces))


def outcome(framing: Any, pieces: list[bytes]) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    try:
        for piece in pieces:
            for message in framing.feed(piece):
                found.append(message)
            assert framing.pending <= MAX + 12
    except FramingError as error:
        return found, error.reason
    return found, ""


@framings
@quick
@given(pieces=streams)
def test_pieces_do_not_matter(make: Any, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    single = [data[at : at + 1] for at in range(len(data))]
    assert outcome(make(), pieces) == outcome(make(), single) == outcome(make(), [data][: bool(data)])


@framings
@quick
@given(messages=st.lists(st.binary(max_size=MAX)), cuts=st.lists(st.integers(0, 60)))
def test_what_is_packed_is_read_as_it_was(make: Any, messages: list[bytes], cuts: list[int]) -> None:
    framing, sent, data = make(), [], b""
    for message in messages:
        try:
            data += framing.pack(message)
        except ValueError:
            continue
        sent.append(message)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[begin:end] for begin, end in itertools.pairwise(places)]
    found, reason = outcome(make(), pieces)
    if reason == "" and not any(message.endswith(b"\r") for message in sent):
        assert found == sent
