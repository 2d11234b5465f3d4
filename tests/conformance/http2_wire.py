"""A client of HTTP/2 that writes frames by hand and keeps the frames that come back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from hpack import Decoder, Encoder

from channels.server.in_thread import ServerThread
from channels.typing import Receive, Scope, Send
from tests.conformance.wire import Wire
from tests.server.helpers import echo

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
NONE, ACK, END_STREAM, END_HEADERS, PADDED, PRIORITIZED = 0, 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE, REFUSED = range(8)
CANCEL, COMPRESSION, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(8, 12)

#: Fields as HPACK (RFC 7541) without any dynamic entry: they mean the same wherever they stand.
GET = b"\x82\x86\x84\x01\x01a"
POST = b"\x83\x86\x84\x01\x01a"
HOLD = b"\x82\x86\x04\x05/hold\x01\x01a"  # an answer that never comes
HOLD_POST = b"\x83\x86\x04\x05/hold\x01\x01a"
_PROBE = b"are we ok"[:8]


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload


def request(stream_id: int = 1, block: bytes = GET, flags: int = END_HEADERS | END_STREAM) -> bytes:
    return frame(HEADERS, flags, stream_id, block)


def fields(*pairs: tuple[bytes, bytes]) -> bytes:
    """A block of literals without indexing; nothing is checked."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in pairs)


def _string(data: bytes) -> bytes:
    assert len(data) < 127
    return bytes((len(data),)) + data


def setting(identifier: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def huffman(text: bytes) -> bytes:
    """A string of HPACK, Huffman-coded, with its length."""
    coded = Encoder().huffman_coder.encode(text)
    return bytes((0x80 | len(coded),)) + coded


@dataclass(slots=True)
class Frame:
    """A frame of the server."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """What a RST_STREAM or GOAWAY says."""
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])


class HTTP2Wire(Wire):
    """A connection on which the formalities are over, unless it is told to begin with something else."""

    def __init__(self, server: ServerThread, hello: bytes | None = None) -> None:
        super().__init__(server)
        self.frames: list[Frame] = []
        self.closed = False
        self._decoder = Decoder()
        self.send(PREFACE + frame(SETTINGS) if hello is None else hello)
        if hello is None:
            first = self.next()
            assert first is not None
            assert (first.kind, first.flags) == (SETTINGS, 0)
            self.send(frame(SETTINGS, ACK))

    def next(self) -> Frame | None:
        """The next frame, kept too; None when the connection has ended."""
        head = b""
        with suppress(ConnectionResetError):
            head = self._file.read(9)
        if len(head) < 9:
            self.closed = True
            return None
        kind, flags, stream_id = struct.unpack(">BBI", head[3:])
        self.frames.append(Frame(kind, flags, stream_id, self.read(int.from_bytes(head[:3]))))
        return self.frames[-1]

    def until(self, kind: int, stream_id: int = 0, flags: int = 0) -> Frame:
        """The next frame of this kind on this stream that has these flags."""
        while True:
            found = self.next()
            assert found is not None, f"closed after {self.frames}"
            if (found.kind, found.stream_id) == (kind, stream_id) and found.flags & flags == flags:
                return found

    def settle(self) -> None:
        """All that the server says of what it was sent: up to its answer to a ping, or to its end."""
        self.send(frame(PING, 0, 0, _PROBE))
        while (found := self.next()) is not None:
            if found.kind == PING and found.payload == _PROBE:
                return

    def goaway(self) -> int | None:
        """The code of the last GOAWAY."""
        codes = [found.code for found in self.frames if found.kind == GOAWAY]
        return codes[-1] if codes else None

    def resets(self) -> dict[int, int]:
        """The codes of the RST_STREAMs, by stream."""
        return {found.stream_id: found.code for found in self.frames if found.kind == RST_STREAM}

    def status(self, stream_id: int) -> int:
        """The status of a response, read now or before."""
        blocks = [found for found in self.frames if (found.kind, found.stream_id) == (HEADERS, stream_id)]
        block = blocks[0] if blocks else self.until(HEADERS, stream_id, END_HEADERS)
        return int(fields_of(self._decoder, block.payload)[":status"])

    def body(self, stream_id: int) -> bytes:
        """The whole body of a response that ends with a frame of data."""
        data = [found for found in self.frames if (found.kind, found.stream_id) == (DATA, stream_id)]
        while not data or not data[-1].flags & END_STREAM:
            data.append(self.until(DATA, stream_id))
        return b"".join(found.payload for found in data)


def fields_of(decoder: Decoder, block: bytes) -> dict[str, str]:
    """The fields of a block, each with its last value."""
    return {str(name): str(value) for name, value in decoder.decode(block)}


class Holding:
    """Echo, but for ``/hold``, which is never answered.

    Attributes:
        fields: the header fields of the last request.
    """

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.fields = list(scope.get("headers", ()))
        if scope.get("path") == "/hold":
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await echo(scope, receive, send)


@contextmanager
def holding(**options: Any) -> Iterator[tuple[ServerThread, Holding]]:
    """A server in a thread, with its application."""
    app = Holding()
    with ServerThread(app, "127.0.0.1", drain_timeout=0.5, **options) as server:
        yield server, app
