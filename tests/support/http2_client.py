"""A client of HTTP/2 by hand, with the ``h2`` library: it does what it is told, and keeps what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events

from tests.server.helpers import LONG, Running

GET = [(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "/")]
POST = [(":method", "POST"), *GET[1:]]
CONNECT = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":authority", "test"),
    (":path", "/ws/"),
    ("sec-websocket-version", "13"),
]


class H2Client:
    """One connection.

    Attributes:
        acknowledging: give the server its window back for what was read.
        answering: answer pings, as every peer should.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.reader, self.writer = reader, writer
        self.transport: Any = writer.transport  # a stream's type does not say that reading can be paused
        self.events: list[Any] = []
        self.bodies: dict[int, bytes] = {}
        self.acknowledging = self.answering = True
        self._buffer = b""

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await asyncio.wait_for(self.writer.drain(), LONG)

    async def request(self, headers: Any = GET, *, end: bool = True) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, headers, end_stream=end)
        await self.flush()
        return stream_id

    async def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream_id, data, end_stream=end)
        await self.flush()

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Read until an event is ``wanted``; it and all before it are kept."""
        async with asyncio.timeout(LONG):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError(self.events)
                self.take(data)
                await self.flush()

    def take(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 9 and len(self._buffer) >= (end := 9 + int.from_bytes(self._buffer[:3])):
            whole, self._buffer = self._buffer[:end], self._buffer[end:]
            if whole[3] == 7:  # the library would read nothing more after a GOAWAY
                goodbye = h2.events.ConnectionTerminated()
                goodbye.last_stream_id = int.from_bytes(whole[9:13])
                goodbye.error_code = int.from_bytes(whole[13:17])
                self.events.append(goodbye)
            elif whole[3] != 6 or self.answering:
                self._take_frame(whole)

    def _take_frame(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.acknowledging:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    async def event(self, kind: type, stream_id: int | None = None) -> Any:
        return await self.until(
            lambda event: isinstance(event, kind) and stream_id in (None, getattr(event, "stream_id", None))
        )

    async def head(self, stream_id: int) -> dict[str, str]:
        return dict((await self.event(h2.events.ResponseReceived, stream_id)).headers)

    async def response(self, stream_id: int) -> tuple[int, dict[str, str], bytes]:
        headers = await self.head(stream_id)
        await self.event(h2.events.StreamEnded, stream_id)
        return int(headers[":status"]), headers, self.bodies.get(stream_id, b"")

    async def body(self, stream_id: int, size: int) -> bytes:
        """The first ``size`` bytes of a body."""
        await self.until(lambda event: len(self.bodies.get(stream_id, b"")) >= size)
        return self.bodies[stream_id][:size]

    def goodbyes(self) -> list[int | None]:
        """The last streams that the server's GOAWAYs have named."""
        kind = h2.events.ConnectionTerminated
        return [event.last_stream_id for event in self.events if isinstance(event, kind)]

    async def closed(self) -> None:
        """The server has closed the connection."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            await self.until(lambda event: False)


@contextlib.asynccontextmanager
async def h2_client(running: Running, context: ssl.SSLContext | None = None) -> AsyncIterator[H2Client]:
    """Connect: in clear text with prior knowledge, or over TLS."""
    host, port = running.server.addresses[0]
    async with asyncio.timeout(LONG):
        client = H2Client(*await asyncio.open_connection(host, port, ssl=context))
    client.h2.initiate_connection()
    await client.flush()
    try:
        yield client
    finally:
        client.writer.close()
        with contextlib.suppress(OSError):
            await client.writer.wait_closed()
