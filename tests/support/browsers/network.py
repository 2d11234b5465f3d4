"""A network between a browser and a server that can be switched off, and made slow."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
#: Bytes that wait on the way, of a segment, and carried at a time while it is slow: so small that a server
#: soon notices. The kernel would else take megabytes on a connection of a machine to itself.
BUFFER, SEGMENT, PIECE = 4096, 1000, 1000


class Network:
    """Carries bytes to a port, as long as it is on; use it by :func:`network`.

    Args:
        target: the port of the server, on 127.0.0.1.

    Attributes:
        port: where browsers connect.
        rate: bytes a second that pages get on each connection; 0: all that there is.
    """

    def __init__(self, target: int) -> None:
        self.target, self.rate = target, 0
        self._on = True
        self._carries = asyncio.Event()
        self._carries.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = self._run(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def off(self) -> None:
        """End all connections, and each new one at once, until :meth:`on`."""
        self._run(self._switch(False))

    def on(self) -> None:
        """Carry again."""
        self._run(self._switch(True))

    def hold(self) -> None:
        """Carry nothing until :meth:`on` and end no connection: neither end can tell."""
        self._run(self._hold())

    def close(self) -> None:
        """End all of it."""
        self.off()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _hold(self) -> None:
        self._carries.clear()

    async def _switch(self, on: bool) -> None:
        self._on = on
        self._carries.set()
        if not on:
            for writer in self._open:
                writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._on:
            writer.transport.abort()
            return
        try:
            answers, asking = await self._dial()
        except OSError:  # the server is not there
            writer.transport.abort()
            return
        ends = {writer, asking}
        self._open |= ends
        await asyncio.gather(self._pump(reader, asking), self._pump(answers, writer, to_page=True))
        self._open -= ends

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialled = socket.socket()
        dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        try:
            dialled.connect(("127.0.0.1", self.target))
        except OSError:
            dialled.close()
            raise
        return await asyncio.open_connection(sock=dialled, limit=BUFFER)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_page: bool = False
    ) -> None:
        """Carry one direction until its end, or until the other side is gone."""
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE if self.rate else BUFFER):
                await self._carries.wait()
                writer.write(data)
                await writer.drain()
                if to_page and self.rate:
                    await asyncio.sleep(len(data) / self.rate)
        writer.close()


@contextmanager
def network(target: int) -> Iterator[Network]:
    """Have a network before a port until the block ends."""
    between = Network(target)
    try:
        yield between
    finally:
        between.close()
