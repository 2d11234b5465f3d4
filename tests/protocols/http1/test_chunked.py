"""The coding in any pieces; what all engines must do is in ``test_http1`` and ``tests/conformance``."""

import pytest

from channels.protocols.events import BodyEnded, BodyReceived
from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http1.chunked import ChunkReader
from channels.protocols.http1.connection import HTTP1Connection
from channels.protocols.http1.engines import HTTP1_ENGINES

BODY = b"3\r\nabc\r\n00d;a=b\r\n\r\n\r\n0123456\r\n\r\n0;x\r\nA: b \r\nc:\r\nD:\t\xe4 f\t\r\n\r\n"


def read_all(pieces):
    read = ChunkReader()
    return [read(piece) for piece in pieces]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_any_pieces(size):
    read, data, trailers = ChunkReader(), b"", None
    for at in range(0, len(BODY), size):
        assert trailers is None
        more, trailers = read(BODY[at : at + size])
        data += more
    assert data == b"abc\r\n\r\n0123456\r\n"
    assert trailers == [(b"a", b"b"), (b"c", b""), (b"d", b"\xe4 f")]


@pytest.mark.parametrize(
    "chunks",
    [
        b"\r\n",
        b"g\r\n",
        b"3 \r\n",
        b"3\n",
        b"3\r\r\n",
        b"3;\x01\r\n",
        b"3;\x7f\r\n",
        b"00000000000000003\r\n",
        b"3\r\nabcd",
        b"3\r\nabc\n",
        b"3\r\nabc\rx",
        b"0\n",
        b"0\r\n\n",
        b"0\r\nA\r\n",
        b"0\r\n: b\r\n",
        b"0\r\nA : b\r\n",
        b"0\r\nA: b\n",
        b"0\r\nA: b\r\n c\r\n",
        b"0\r\nA: \0\r\n",
        b"0\r\nA\xe4: b\r\n",
        b"0\r\n" + b"A: b\r\n" * 101,
        b"0;" + b"a" * 16_384,
        b"0;" + b"a" * 16_384 + b"\r\n",
    ],
)
def test_what_is_refused(chunks):
    with pytest.raises(MalformedMessage):
        ChunkReader()(chunks)
    with pytest.raises(MalformedMessage):
        read_all(bytes((byte,)) for byte in chunks)


def test_what_came_before_is_kept():
    with pytest.raises(MalformedMessage) as caught:
        ChunkReader()(b"3\r\nabc\r\nx\r\n")
    assert caught.value.data == b"abc"


@pytest.mark.parametrize("engine", list(HTTP1_ENGINES))
@pytest.mark.parametrize("size", [1, 60, 100, 200, 600, 1024])
def test_one_call_reads_little_more_chunks_than_it_may(engine, size):
    connection = HTTP1Connection(engine=engine)
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
    amount = 300_000 // len(chunk)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.receive_data(chunk * amount + b"0\r\n\r\n")
    connection.next_event()
    connection.frames_left, received = 1, b""
    while isinstance(event := connection.next_event(), BodyReceived):
        assert len(event.data) // size <= 200
        received += event.data
        connection.frames_left = 1
    assert received == b"x" * size * amount
    assert isinstance(event, BodyEnded)
