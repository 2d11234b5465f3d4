"""A client that sends frames as they are and shows what the server sends back."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed

TIMEOUT = 5.0


class RawClient:
    """Speaks the protocol in JSON, one command a frame."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._replies: list[dict[str, Any]] = []
        self._number = 0

    async def send(self, **command: Any) -> int:
        """Send a command; returns its number."""
        self._number += 1
        await self.socket.send(json.dumps({"id": self._number, **command}))
        return self._number

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return the reply to it; what is pushed before it is kept for :meth:`next`."""
        number, pushed = await self.send(**command), []
        while (reply := await self.next()).get("id") != number:
            pushed.append(reply)
        self._replies[:0] = pushed
        return reply

    async def next(self) -> dict[str, Any]:
        """Return the next reply or push; answers pings."""
        async with asyncio.timeout(TIMEOUT):
            while not self._replies:
                for line in str(await self.socket.recv()).splitlines():
                    if reply := json.loads(line):
                        self._replies.append(reply)
                    else:
                        await self.socket.send("{}")
        return self._replies.pop(0)

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes; returns code and reason."""
        try:
            while True:
                await self.next()
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""

    async def connect(self, **request: Any) -> dict[str, Any]:
        """Connect; returns the result."""
        result: dict[str, Any] = (await self.ask(connect=request))["connect"]
        return result


@asynccontextmanager
async def raw_client(
    port: int, headers: Iterable[tuple[str, str]] = (), path: str = "/connection/websocket"
) -> AsyncIterator[RawClient]:
    """Open a WebSocket to the server on ``port``."""
    async with websocket_connect(f"ws://127.0.0.1:{port}{path}", additional_headers=[*headers]) as socket:
        yield RawClient(socket)
