"""The application that test_servers.py runs under several ASGI servers."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.compat.servers.serversettings")
django.setup()

from django.urls import path  # noqa: E402

from channels.generic.http import AsyncHttpConsumer  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402


class Talks(AsyncWebsocketConsumer):
    """Says what it hears to everybody, closes when told to."""

    groups = ["talk"]

    async def connect(self) -> None:
        subprotocols = self.scope["subprotocols"]
        await self.accept(subprotocol=subprotocols[-1] if subprotocols else None)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "close":
            await self.close(code=4001, reason="told to")
        elif bytes_data is not None:
            await self.send(bytes_data=bytes_data)
        else:
            await self.channel_layer.group_send("talk", {"type": "talk.said", "text": text_data})

    async def talk_said(self, event: Any) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, code: int) -> None:
        """The peer has gone: what is sent now reaches nobody and disturbs nobody."""
        for _ in range(3):
            await self.send(text_data="too late")
        await self.channel_layer.group_send("talk", {"type": "talk.said", "text": f"left {code}"})


class SyncTalks(WebsocketConsumer):
    """Echoes from a thread, and sends late too."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "close":
            self.close(code=4002)
        else:
            self.send(text_data=text_data)

    def disconnect(self, code: int) -> None:
        self.send(text_data="too late")


class Refuses(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.close(code=4003)


class Answers(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        await self.send_headers(headers=[(b"content-type", b"text/plain")])
        await self.send_body(b"you said ", more_body=True)
        await self.send_body(body)


application = ProtocolTypeRouter(
    {
        "http": URLRouter([path("answer/", Answers.as_asgi())]),
        "websocket": OriginValidator(
            URLRouter(
                [
                    path("talk/", Talks.as_asgi()),
                    path("sync/", SyncTalks.as_asgi()),
                    path("refused/", Refuses.as_asgi()),
                ]
            ),
            ["http://good.example"],
        ),
    }
)
