from __future__ import annotations

import pytest

from channels.layers.host.wire import frames as wire


def read(*chunks, limit=1000):
    reader = wire.FrameReader(limit)
    return [frame for chunk in chunks for frame in reader.receive_data(chunk)]


FRAMES = [
    wire.Hello("p", 1, ["g"], [("g", "c", 5, 60.0)], ["key"]),
    wire.Publish(1, "g", b"payload"),
    wire.Answer(2, "", {"p": 7}),
    wire.Delivered(3, "key", b""),
]


def test_frames_come_back_however_they_are_cut():
    data = wire.PREAMBLE + b"".join(map(wire.encode, FRAMES))
    assert read(data) == FRAMES
    assert read(*(data[n : n + 1] for n in range(len(data)))) == FRAMES


def test_a_frame_over_the_limit_is_refused_before_it_is_read():
    huge = wire.encode(wire.Publish(1, "g", b"x" * 2000))
    with pytest.raises(wire.WireError, match="is over the limit of 1000 bytes"):
        read(wire.PREAMBLE + huge[:10])


def test_frames_before_a_broken_one_are_read():
    reader = wire.FrameReader(1000)
    frames = reader.receive_data(wire.PREAMBLE + wire.encode(FRAMES[1]) + b"\0\0\0\2\x91\x63")
    assert next(frames) == FRAMES[1]
    with pytest.raises(wire.WireError, match="A frame of 2 bytes cannot be read"):
        next(frames)


def test_another_version_is_named():
    with pytest.raises(
        wire.WireError, match=r"speaks version 9 of the host layer, this one version 1.*Restart"
    ):
        read(b"FWH\x09")


def test_something_else_is_named_too():
    with pytest.raises(wire.WireError, match="does not speak the host layer's protocol.*GET "):
        read(b"GET / HTTP/1.1")


def test_nothing_is_said_before_the_preamble_is_whole():
    assert read(b"F", b"W") == []


def test_which_frames_carry_messages():
    assert wire.carries_message(wire.encode(wire.Published("p", 1, "g", b"")))
    assert wire.carries_message(wire.encode(wire.Directed("p", 1, "c", b"")))
    assert not wire.carries_message(wire.encode(wire.Accepted(1)))
