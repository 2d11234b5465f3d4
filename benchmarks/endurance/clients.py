"""Cheap clients: thousands of WebSockets that wait, and requests at a steady rate."""

from __future__ import annotations

import asyncio
import collections
import re
import statistics
import time
from collections import Counter
from typing import Any, cast

UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
#: How many connections are opened at the same time.
_OPENING = 100
#: How many connections carry requests; what is due beyond that waits, and its wait counts.
_KEPT = 100


def masked(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """A client's frame, masked with zeros."""
    first = 0x80 | (0x40 if compressed else 0) | opcode
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xff" + len(payload).to_bytes(8, "big")
    return bytes([first]) + size + bytes(4) + payload


class Socket(asyncio.Protocol):
    """A WebSocket that answers pings and closes, and counts what it gets.

    Attributes:
        opened: done when the server has said 101; fails if it does not.
        gone: done when the connection is closed.
        messages: how many came.
        code: what it was closed with; 1006 if nobody said.
    """

    def __init__(self, path: bytes = b"/", headers: bytes = b"") -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.messages = 0
        self.code = 1006
        self.transport: asyncio.Transport
        self._request = UPGRADE % (path, headers)
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer = rest
            if b" 101 " not in head:
                self.opened.set_exception(ConnectionError(head.decode("latin-1")))
                return
            self.opened.set_result(None)
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        begin, size = 2, buffer[1]
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:begin], "big")
        if len(buffer) < begin + size:
            return False
        payload, self._buffer = buffer[begin : begin + size], buffer[begin + size :]
        self._act(buffer[0] & 15, payload)
        return True

    def _act(self, opcode: int, payload: bytes) -> None:
        if opcode == 8:
            self.code = int.from_bytes(payload[:2], "big")
            self.transport.write(masked(8, payload[:2]))
        elif opcode == 9:
            self.transport.write(masked(10, payload))
        else:
            self.messages += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))


async def open_sockets(port: int, number: int, path: bytes = b"/", headers: bytes = b"") -> list[Socket]:
    """Open many WebSockets; one that fails ends it."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(_OPENING)

    async def one(place: int) -> Socket:
        async with gate:
            # A source address has some 28,000 ports.
            source = (f"127.0.0.{2 + place // 20_000}", 0)
            _, socket = await loop.create_connection(
                lambda: Socket(path, headers), "127.0.0.1", port, local_addr=source
            )
            await asyncio.wait_for(socket.opened, 60)
            return socket

    return list(await asyncio.gather(*(one(place) for place in range(number))))


class _Kept(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, load: Requests) -> None:
        self._load = load
        self._buffer = b""
        self._asked_at: float | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._load.freed(self)

    def ask(self, request: bytes, due: float) -> None:
        self._asked_at = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(rest) < int(length[1]) or self._asked_at is None:
            return
        asked_at, self._asked_at, self._buffer = self._asked_at, None, b""
        self._load.answered(head, time.monotonic() - asked_at)
        if b"connection: close" in head.lower():
            self.transport.close()
        else:
            self._load.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, "" if self._asked_at is None else f"connection lost: {exc}")


class Requests:
    """Requests at a steady rate, whatever the answers take: a late one is late from when it was due.

    Attributes:
        sent: how many were due.
        latencies: of each answer, in seconds.
        failures: what else became of them.
    """

    def __init__(
        self, port: int, rate: int, request: bytes = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    ) -> None:
        self.sent = 0
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self._free: collections.deque[_Kept] = collections.deque()
        self._waiting: collections.deque[float] = collections.deque()
        self._connections = 0
        self._port = port
        self._rate = rate
        self._request = request
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Send for so long, then wait for the last answers."""
        begin = time.monotonic()
        while (elapsed := time.monotonic() - begin) < seconds:
            while self.sent < elapsed * self._rate:
                self._waiting.append(begin + self.sent / self._rate)
                self.sent += 1
                self._ask()
            await asyncio.sleep(0.005)
        for _ in range(600):
            if len(self.latencies) + self.failures.total() >= self.sent:
                break
            await asyncio.sleep(0.05)
        for kept in list(self._free):
            kept.transport.close()

    def _ask(self) -> None:
        """Send what is due on a free connection, or open one, up to a number."""
        while self._waiting and self._free:
            self._free.popleft().ask(self._request, self._waiting.popleft())
        if len(self._opening) < len(self._waiting) and self._connections < _KEPT:
            self._connections += 1
            task = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        connect = asyncio.get_running_loop().create_connection(lambda: _Kept(self), "127.0.0.1", self._port)
        try:
            await asyncio.wait_for(connect, 30)
        except OSError as error:
            self._connections -= 1
            self.failures[f"no connection: {error}"] += 1
            if self._waiting:
                self._waiting.popleft()

    def freed(self, kept: _Kept) -> None:
        """A connection may carry the next request."""
        self._free.append(kept)
        self._ask()

    def lost(self, kept: _Kept, error: str) -> None:
        """A connection has ended; ``error`` if a request was on it."""
        self._connections -= 1
        if kept in self._free:
            self._free.remove(kept)
        if error:
            self.failures[error] += 1
        self._ask()

    def answered(self, head: bytes, latency: float) -> None:
        """Count an answer."""
        if b" 200 " in head[:16]:
            self.latencies.append(latency)
        else:
            self.failures[head[:16].decode("latin-1")] += 1

    def percentiles(self) -> str:
        """Latencies for people, in milliseconds."""
        if len(self.latencies) < 2:
            return "none"
        cuts = statistics.quantiles(self.latencies, n=100)
        return f"p50 {1e3 * cuts[49]:.1f}, p99 {1e3 * cuts[98]:.1f}, max {1e3 * max(self.latencies):.0f} ms"

    def summary(self) -> dict[str, Any]:
        """Rows for the table."""
        return {
            "requests": f"{self.sent:,} sent, {len(self.latencies):,} answered",
            "requests that failed": dict(self.failures) or 0,
            "latency": self.percentiles(),
        }
