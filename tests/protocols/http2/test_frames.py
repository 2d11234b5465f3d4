import pytest
from h2.errors import ErrorCodes

from channels.protocols.http2.frames import ConnectionFault, FloodGuard, FrameSplitter, RawFrame
from tests.protocols.http2_peer import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    HELLO,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
)


def frames_in(cutter, *pieces):
    frames = []
    for piece in pieces:
        cutter.receive_data(piece)
        while (found := cutter.next_frame()) is not None:
            frames.append(found)
    return frames


def test_frames_in_any_pieces():
    data = HELLO + frame(PING, 1, 0, b"8 bytes!") + frame(DATA, 1, 0x8000_0003, b"x")
    whole = frames_in(FrameSplitter(100), data)
    assert whole == [
        RawFrame(SETTINGS, 0, 0, HELLO, b""),
        RawFrame(PING, 1, 0, data[33:50], b"8 bytes!"),
        RawFrame(DATA, 1, 3, data[50:], b"x"),
    ]
    cutter = FrameSplitter(100)
    assert frames_in(cutter, *[data[i : i + 1] for i in range(len(data))]) == whole
    assert cutter.buffered == 0


def test_what_is_held_is_counted_and_can_be_forgotten():
    cutter = FrameSplitter(100)
    assert frames_in(cutter, HELLO + b"\0\0\1") != []
    assert cutter.buffered == 3
    cutter.clear()
    assert cutter.buffered == 0


@pytest.mark.parametrize("data", [b"G", b"PRI * HTTP/1", PREFACE + frame(PING), PREFACE + frame(SETTINGS, 1)])
def test_another_beginning(data):
    with pytest.raises(ConnectionFault) as caught:
        frames_in(FrameSplitter(100), data)
    assert caught.value.code == ErrorCodes.PROTOCOL_ERROR


def test_a_large_frame_is_refused_by_its_head():
    cutter = FrameSplitter(100)
    assert len(frames_in(cutter, HELLO + frame(DATA, 0, 1, bytes(16_384)))) == 2
    with pytest.raises(ConnectionFault, match="16384") as caught:
        frames_in(cutter, frame(DATA, 0, 1, bytes(16_385))[:9])
    assert caught.value.code == ErrorCodes.FRAME_SIZE_ERROR


def test_a_header_block_in_many_frames():
    cutter = FrameSplitter(100)
    block = frame(HEADERS, 0, 1, bytes(60)) + frame(CONTINUATION, 0, 1, bytes(40))
    assert len(frames_in(cutter, HELLO + block * 3)) == 7
    with pytest.raises(ConnectionFault, match="100 bytes") as caught:
        frames_in(cutter, frame(CONTINUATION, 0, 1, b"x"))
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


def raw(kind, flags=0, payload=b""):
    return RawFrame(kind, flags, 1, frame(kind, flags, 1, payload), payload)


@pytest.mark.parametrize("useless", [raw(PING), raw(SETTINGS), raw(99), raw(DATA), raw(CONTINUATION)])
def test_useless_frames_are_counted(useless):
    guard = FloodGuard(2, 0)
    for _ in range(2):
        guard.frame_received(useless)
        guard.frame_received(useless)
        guard.start_window()
    guard.frame_received(useless)
    guard.frame_received(useless)
    guard.data_sent()
    guard.frame_received(useless)
    guard.frame_received(useless)
    with pytest.raises(ConnectionFault) as caught:
        guard.frame_received(useless)
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("useful", [raw(HEADERS, 0, b"x"), raw(DATA, 0, b"x"), raw(DATA, END_STREAM)])
def test_useful_frames_are_not(useful):
    guard = FloodGuard(0, 0)
    for _ in range(10):
        guard.frame_received(useful)


def test_resets_are_counted():
    guard = FloodGuard(0, 2)
    guard.frame_received(raw(RST_STREAM, 0, bytes(4)))
    guard.stream_reset()
    with pytest.raises(ConnectionFault, match="reset"):
        guard.frame_received(raw(RST_STREAM, 0, bytes(4)))
