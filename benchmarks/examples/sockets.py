"""A WebSocket client that costs little, as thousands of them share the load's core."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import Callable
from typing import cast

CONNECTS_WITHIN = 30.0  # seconds
_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9


class Socket(asyncio.Protocol):
    """A WebSocket without masks that mean anything: what it sends is masked with zeros.

    Args:
        receive: called with the payload of each message.
    """

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.receive = receive
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open = False
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it is written to."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        """Read the answer to the handshake, and then frames."""
        self._buffer += data
        if not self.open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(
                    ConnectionError(head.partition(b"\r\n")[0].decode("ascii", "replace"))
                )
                return
            self.open, self._buffer = True, rest
            self.opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            opcode, size, begin = buffer[at] & 15, buffer[at + 1], at + 2
            if size > 125:
                width = 2 if size == 126 else 8
                if len(buffer) < begin + width:
                    break
                size, begin = int.from_bytes(buffer[begin : begin + width]), begin + width
            if len(buffer) < begin + size:
                break
            at = begin + size
            self._take(opcode, buffer[begin:at])
        self._buffer = buffer[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode in (_TEXT, _BINARY):
            self.receive(payload)
        elif opcode == _PING:
            self._write(0x8A, payload)
        elif opcode == _CLOSE:
            self.open = False

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it is over."""
        self.open = False
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed before the handshake was answered"))

    def send(self, text: str) -> None:
        """Send a text."""
        self._write(0x81, text.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        self._write(0x82, data)

    def _write(self, first: int, payload: bytes) -> None:
        assert self._transport is not None  # it is made with one
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        self._transport.write(bytes([first]) + length + b"\0\0\0\0" + payload)

    def close(self) -> None:
        """End it without a word."""
        if self._transport is not None:
            self._transport.abort()


async def connect(port: int, path: str, cookie: str, receive: Callable[[bytes], None]) -> Socket:
    """Open a WebSocket as a page of the same site would.

    Raises:
        OSError: the server has refused it.
        TimeoutError: it has not answered in time.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECTS_WITHIN):
        transport, socket = await loop.create_connection(lambda: Socket(receive), "127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nCookie: sessionid={cookie}\r\n\r\n".encode()
        )
        await socket.opened
    return socket


async def request(port: int, head: str, body: str = "") -> str:
    """Make one HTTP request and return the answer; the head has no empty line at its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        writer.write(
            f"{head}\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        return (await reader.read()).decode("utf-8", "replace")
