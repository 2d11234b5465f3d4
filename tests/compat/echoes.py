"""Consumers that say what they hear, and a conversation with one."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.testing import WebsocketCommunicator

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TIMEOUT = 20


async def connected(application: Any, path: str = "/", **options: Any) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(application, path, **options)
    assert (await socket.connect(timeout=TIMEOUT))[0]
    return socket


async def said(application: Any, text: str = "x", **options: Any) -> Any:
    """Connect, say something, return what comes back."""
    socket = await connected(application, **options)
    await socket.send_to(text_data=text)
    answer = await socket.receive_from(timeout=TIMEOUT)
    await socket.disconnect(timeout=TIMEOUT)
    return answer


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data)


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data=text_data)
