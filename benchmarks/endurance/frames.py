"""What a peer can send that carries no message: for each kind how it begins, and what it then repeats."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import NamedTuple

from .clients import UPGRADE

#: Peers that attack at once, and bytes that each writes at a time.
PEERS, _BLOCK = 4, 65_536
_DATA, _HEADERS, _PRIORITY, _SETTINGS, _PING = 0, 1, 2, 4, 6
_WINDOW_UPDATE, _CONTINUATION, _UNKNOWN = 8, 9, 0x42
_END_HEADERS, _PADDED = 4, 8
_WEBSOCKET = UPGRADE % (b"/", b"")
_CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


def _frame(kind: int, stream_id: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream_id) + payload


def _field(name: bytes, value: bytes) -> bytes:
    """A literal without indexing (RFC 7541 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS)
_POST = b"\x83\x86\x84\x01\x04test"  # POST, http, /, and whom it is for
_POSTED = _HELLO + _frame(_HEADERS, 1, _POST, _END_HEADERS)
_CONNECT = b"".join(
    _field(name, value)
    for name, value in (
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"test"),
        (b"sec-websocket-version", b"13"),
    )
)
_TUNNEL = _HELLO + _frame(_HEADERS, 1, _CONNECT, _END_HEADERS)
_MASKED_PING = b"\x89\x80\0\0\0\0"


class Kind(NamedTuple):
    """One kind of flood: ``opening`` is sent once, and when ``answered`` has come, ``unit`` for ever."""

    opening: bytes
    answered: bytes
    unit: bytes
    begun: bytes = b""  #: sent once before the units
    data: int = 0  #: bytes of the window of HTTP/2 that a unit takes


KINDS = {
    "WebSocket: pings": Kind(_WEBSOCKET, b" 101 ", _MASKED_PING),
    "WebSocket: pongs": Kind(_WEBSOCKET, b" 101 ", b"\x8a\x80\0\0\0\0"),
    "WebSocket: empty fragments": Kind(_WEBSOCKET, b" 101 ", b"\0\x80\0\0\0\0", b"\x02\x80\0\0\0\0"),
    "WebSocket: fragments of a byte": Kind(_WEBSOCKET, b" 101 ", b"\0\x81\0\0\0\0x", b"\x01\x81\0\0\0\0x"),
    "WebSocket: empty messages": Kind(_WEBSOCKET, b" 101 ", b"\x81\x80\0\0\0\0"),
    "WebSocket over HTTP/2: pings": Kind(_TUNNEL, b"", _frame(_DATA, 1, _MASKED_PING * 2700), data=16_200),
    "WebSocket over HTTP/2: a ping in each DATA": Kind(_TUNNEL, b"", _frame(_DATA, 1, _MASKED_PING), data=6),
    "WebSocket over HTTP/2: DATA of a byte": Kind(
        _TUNNEL, b"", b"".join(_frame(_DATA, 1, bytes([byte])) for byte in b"\x81\x81\0\0\0\0x"), data=7
    ),
    "HTTP/2: DATA of a byte": Kind(_POSTED, b"", _frame(_DATA, 1, b"x"), data=1),
    "HTTP/2: empty DATA": Kind(_POSTED, b"", _frame(_DATA, 1)),
    "HTTP/2: DATA of padding": Kind(_POSTED, b"", _frame(_DATA, 1, b"\x02\0\0", _PADDED), data=3),
    "HTTP/2: PING": Kind(_HELLO, b"", _frame(_PING, 0, bytes(8))),
    "HTTP/2: SETTINGS": Kind(_HELLO, b"", _frame(_SETTINGS)),
    "HTTP/2: WINDOW_UPDATE": Kind(_HELLO, b"", _frame(_WINDOW_UPDATE, 0, b"\0\0\0\1")),
    "HTTP/2: PRIORITY": Kind(_POSTED, b"", _frame(_PRIORITY, 1, bytes(5))),
    "HTTP/2: unknown frames": Kind(_HELLO, b"", _frame(_UNKNOWN)),
    "HTTP/2: CONTINUATION": Kind(_HELLO, b"", _frame(_CONTINUATION, 1), _frame(_HEADERS, 1)),
    "HTTP/1.1: chunks of a byte": Kind(_CHUNKED, b"", b"1\r\nx\r\n"),
    "HTTP/1.1: empty lines": Kind(b"", b"", b"\r\n"),
}


async def _pour(port: int, kind: Kind) -> None:
    """One connection, until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        writer.write(kind.opening)
        got = b"" if kind.answered else b" "
        while kind.answered not in got:
            if not (more := await reader.read(65536)):
                return
            got += more
        window = _Window()
        reading = asyncio.ensure_future(window.read(reader))
        try:
            writer.write(kind.begun)
            block = kind.unit * max(1, _BLOCK // len(kind.unit))
            while not reading.done():
                if kind.data and not window.take(len(block) // len(kind.unit) * kind.data):
                    await asyncio.sleep(0.001)
                    continue
                writer.write(block)
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            reading.cancel()


class _Window:
    """What the server lets stream 1 send (RFC 9113 6.9); what else it says is thrown away."""

    def __init__(self) -> None:
        self._left = 262_144

    def take(self, size: int) -> bool:
        """Whether so many bytes may be sent now; they count as sent then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read until the server closes. Of another protocol than HTTP/2 nothing can be told."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                size, _, stream_id = struct.unpack(">IBI", await reader.readexactly(9))
                payload = await reader.readexactly(size >> 8)
                if size & 0xFF == _WINDOW_UPDATE and stream_id == 1:
                    self._left += int.from_bytes(payload)


async def flood(port: int, name: str) -> str:
    """Floods with four peers until it is cancelled; one that is closed comes back at once."""
    connections = 0

    async def peer() -> None:
        nonlocal connections
        while True:
            connections += 1
            with contextlib.suppress(OSError):
                await _pour(port, KINDS[name])

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*(peer() for _ in range(PEERS)))
    return f"{connections} connections"
