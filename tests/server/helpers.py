"""Applications, a raw client and a running server for the tests of this room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

from channels.server.config import Config
from channels.server.server import Server
from channels.typing import Message, Receive, Scope, Send

#: Longer than anything takes on a loaded machine; only failing tests wait for it.
LONG = 20.0

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
UPGRADE = (
    b"GET /ws/ HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    first = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        size = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        size = b"\xfe" + len(payload).to_bytes(2, "big")
    else:
        size = b"\xff" + len(payload).to_bytes(8, "big")
    return first + size + b"\0\0\0\0" + payload


def close_frame(code: int = 1000, reason: bytes = b"") -> bytes:
    return frame(code.to_bytes(2, "big") + reason, 8)


class Client:
    """A socket, and what arrived on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), LONG)

    async def read(self, size: int, limit: float = LONG) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), limit)

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), LONG)

    async def rest(self) -> bytes:
        """Everything up to the peer's close."""
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.wait_for(self.reader.read(), LONG)
        return b""

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """One response with a Content-Length or chunks."""
        head = (await self.until(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (entry.split(":", 1) for entry in lines)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            chunks = []
            while size := int((await self.until(b"\r\n")).strip(), 16):
                chunks.append((await self.read(size + 2))[:-2])
            await self.until(b"\r\n")
            body = b"".join(chunks)
        elif "content-length" in headers:
            body = await self.read(int(headers["content-length"]))
        return int(line.split(" ")[1]), headers, body

    async def message(self, limit: float = LONG) -> tuple[int, bytes]:
        """One frame of the server: opcode and payload."""
        first, size = await self.read(2, limit)
        if size == 126:
            size = int.from_bytes(await self.read(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.read(8), "big")
        return first & 0x0F, await self.read(size)

    async def upgrade(self, request: bytes = UPGRADE) -> str:
        await self.send(request)
        return (await self.until(b"\r\n\r\n")).decode("latin-1")

    @property
    def transport(self) -> Any:
        """What it writes to; a stream's type does not say that its reading can be paused."""
        return self.writer.transport

    def reset(self) -> None:
        """Leave without a word: the peer gets a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Running:
    """A started server, and clients that are closed with it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: list[Client] = []

    async def connect(self, context: ssl.SSLContext | None = None) -> Client:
        """A client; with a context for TLS."""
        address = self.server.addresses[0]
        if isinstance(address, tuple):
            pair = await asyncio.open_connection(*address, limit=2**16, ssl=context)
        else:
            pair = await asyncio.open_unix_connection(address)
        self._clients.append(Client(*pair))
        return self._clients[-1]

    @property
    def streams(self) -> list[Any]:
        """The runs of the application, with what is their own."""
        return [*self.server.streams]

    @property
    def runtime(self) -> Any:
        return self.server._runtime

    async def aclose(self) -> None:
        for client in self._clients:
            await client.close()
        await self.server.stop()


@contextlib.asynccontextmanager
async def serve(app: Any, **options: Any) -> AsyncIterator[Running]:
    """Run a server in the test's loop."""
    defaults: dict[str, Any] = {
        "endpoints": ("tcp:port=0:interface=127.0.0.1",),
        "lifespan": "off",
        "drain_timeout": 5.0,
    }
    server = Server(Config(app=app, **{**defaults, **options}))
    await server.start()
    running = Running(server)
    try:
        yield running
    finally:
        await running.aclose()


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until ``condition()`` holds."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.005)


class Recorder:
    """An application that keeps what it receives and lets the test send."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._started: asyncio.Queue[Run] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = Run(scope, receive, send)
        self.runs.append(run)
        self._started.put_nowait(run)
        try:
            await run.ended
        finally:
            run.finished.set()

    async def next(self) -> Run:
        return await asyncio.wait_for(self._started.get(), LONG)


class Run:
    """One run of the recorder."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self.send = send
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.finished = asyncio.Event()

    async def receive(self) -> Message:
        return await asyncio.wait_for(self._receive(), LONG)

    async def respond(self, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def accept(self, **more: Any) -> None:
        assert (await self.receive())["type"] == "websocket.connect"
        await self.send({"type": "websocket.accept", **more})

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def fail(self, error: BaseException) -> None:
        self.ended.set_exception(error)


@contextlib.asynccontextmanager
async def asked(request: bytes = GET, **options: Any) -> AsyncIterator[tuple[Run, Client, Running]]:
    """A run of the application for a request, before it has answered."""
    app = Recorder()
    async with serve(app, **options) as running:
        client = await running.connect()
        await client.send(request)
        run = await app.next()
        yield run, client, running
        run.end()


async def opened(running: Running, app: Recorder) -> tuple[Client, Run]:
    """An accepted WebSocket: the client's side and the application's."""
    client = await running.connect()
    await client.send(UPGRADE)
    run = await app.next()
    await run.accept()
    assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return client, run


def stream_of(running: Running) -> Any:
    (stream,) = running.runtime.streams
    return stream


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request with its body and a WebSocket with its messages."""
    if scope["type"] == "http":
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]}
        )
        await send({"type": "http.response.body", "body": body})
        return
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def records(caplog: Any, level: int = logging.WARNING) -> list[str]:
    """What the server logged, at ``level`` or above."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "channels.server" and record.levelno >= level
    ]
