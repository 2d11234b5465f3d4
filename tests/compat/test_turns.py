"""Between two messages of a consumer runs what the first has started."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from django.test import override_settings

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.server.in_thread import ServerThread
from tests.compat.echoes import IN_MEMORY, TIMEOUT, connected
from tests.server.helpers import UPGRADE, frame

MANY = 50


class Operations(AsyncWebsocketConsumer):
    """Starts an operation in a task, as packages for GraphQL do, and completes those that run."""

    def __init__(self) -> None:
        super().__init__()
        self.running: set[str] = set()
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self, name: str) -> None:
        self.running.add(name)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.handle(text_data)

    async def told(self, event: Any) -> None:
        await self.handle(event["text"])

    async def handle(self, text: str) -> None:
        what, _, name = text.partition(" ")
        if what == "complete":
            await self.send(text_data=f"{name} was {'running' if name in self.running else 'lost'}")
            return
        if what == "look-up-and-subscribe":
            await asyncio.sleep(0.001)
        self.tasks.append(asyncio.create_task(self.run(name)))


def operations() -> list[tuple[str, str]]:
    return [
        (what, f"{what}-{number}")
        for number in range(MANY)
        for what in ("subscribe", "look-up-and-subscribe")
    ]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_over_a_socket(loop: str) -> None:
    with (
        ServerThread(Operations.as_asgi(), lifespan="off", loop=loop, host="127.0.0.1") as server,
        socket.create_connection((server.host, server.port), TIMEOUT) as client,
    ):
        client.sendall(UPGRADE)
        assert b" 101 " in client.recv(65536)
        for what, name in operations():
            client.sendall(frame(f"{what} {name}".encode()) + frame(f"complete {name}".encode()))
            assert client.recv(65536)[2:].decode() == f"{name} was running"


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_over_a_channel() -> None:
    channels: list[str] = []

    class Named(Operations):
        async def connect(self) -> None:
            channels.append(self.channel_name)
            await self.accept()

    communicator = await connected(Named.as_asgi())
    layer: Any = get_channel_layer()
    for what, name in operations():
        for text in (f"{what} {name}", f"complete {name}"):
            await layer.send(channels[0], {"type": "told", "text": text})
        assert await communicator.receive_from(timeout=TIMEOUT) == f"{name} was running"
    await communicator.disconnect(timeout=TIMEOUT)


async def test_over_a_communicator() -> None:
    communicator = await connected(Operations.as_asgi())
    for what, name in operations():
        await communicator.send_to(text_data=f"{what} {name}")
        await communicator.send_to(text_data=f"complete {name}")
        assert await communicator.receive_from(timeout=TIMEOUT) == f"{name} was running"
    await communicator.disconnect(timeout=TIMEOUT)
