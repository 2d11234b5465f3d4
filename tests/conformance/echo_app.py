"""What the conformance suites talk to: a bare ASGI application, and a consumer under /consumer."""

from __future__ import annotations

import os

import django

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.typing import Receive, Scope, Send
from tests.server.helpers import echo

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()


class EchoConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)


_consumer = EchoConsumer.as_asgi()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo what comes."""
    app = _consumer if scope["path"] == "/consumer" else echo
    await app(scope, receive, send)
