"""What one idle chat connection keeps: objects are counted, so that they do not creep back."""

from __future__ import annotations

import asyncio
import gc
import socket
import types
from collections import Counter, deque
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from tests.server.helpers import LONG, Running, serve

uvloop = pytest.importorskip("uvloop")

REQUEST = (
    b"GET /chat/lobby/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Origin: http://127.0.0.1\r\nUser-Agent: Mosaic\r\nAccept-Language: en\r\n\r\n"
)
SOCKETS = 40


class Chat(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.room = f"chat_{self.scope['url_route']['kwargs']['room']}"
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def chat_message(self, event: Any) -> None:
        await self.send(text_data=event["text"])


APPLICATION = ProtocolTypeRouter(
    {
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("chat/<str:room>/", Chat.as_asgi())]))
        )
    }
)


class Sockets:
    """Clients that keep nothing but a socket, so that what is counted is the server's."""

    def __init__(self, running: Running) -> None:
        self._address: Any = running.server.addresses[0]
        self._loop = asyncio.get_running_loop()
        self._open: list[socket.socket] = []

    async def open(self, amount: int) -> None:
        for _ in range(amount):
            client = socket.socket()
            client.setblocking(False)
            self._open.append(client)
            await self._loop.sock_connect(client, self._address)
            await self._loop.sock_sendall(client, REQUEST)
            assert b" 101 " in await self.until(client, b"\r\n\r\n")

    async def until(self, client: socket.socket, end: bytes) -> bytes:
        data = b""
        async with asyncio.timeout(LONG):
            while not data.endswith(end):
                data += await self._loop.sock_recv(client, 4096)
        return data

    async def all_received(self, frame: bytes) -> bool:
        return all([await self.until(client, frame) == frame for client in self._open])

    def close(self) -> None:
        for client in self._open:
            client.close()


def census() -> Counter[type]:
    gc.collect()
    return Counter(type(each) for each in gc.get_objects())


async def count_per_socket() -> Counter[type]:
    """Returns what each of forty sockets adds, in whole objects; the first ones set things up."""
    async with serve(APPLICATION) as running:
        sockets = Sockets(running)
        try:
            await sockets.open(5)
            before = census()
            await sockets.open(SOCKETS)
            after = census()
            await get_channel_layer().group_send("chat_lobby", {"type": "chat.message", "text": "all"})
            assert await sockets.all_received(b"\x81\x03all")
        finally:
            sockets.close()
    after.subtract(before)
    return Counter({kind: round(amount / SOCKETS) for kind, amount in after.items()})


def test_an_idle_chat_connection_keeps_little() -> None:
    backend = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with override_settings(CHANNEL_LAYERS={"default": backend}, ALLOWED_HOSTS=["127.0.0.1"]):
        kept = uvloop.run(count_per_socket())
    assert kept[deque] == 0
    assert kept[set] == 0
    # ProtocolTypeRouter, the consumer, its mailbox; and the stream, which is the task's.
    assert kept[types.CoroutineType] <= 4
    assert kept[types.GeneratorType] == 0
    # The scope, extensions, cookies, url_route; what instances keep depends on the Python.
    assert kept[dict] <= 6
    assert kept[list] <= 9
    assert kept[types.MethodType] <= 9
    named = {kind.__name__: amount for kind, amount in kept.items()}
    for gone in (
        "HTTP1Handler",
        "HTTP1Connection",
        "ProtocolSniffer",
        "PendingHandshake",
        "Response",
        "SessionStore",
        "RequestReceived",
        "Strand",
        "ThreadCall",
    ):
        assert named.get(gone, 0) == 0, gone
    assert sum(kept.values()) <= 58, kept.most_common()
