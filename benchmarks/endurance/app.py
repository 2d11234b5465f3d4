"""The application of the load runs: sockets that wait, echo or flood; requests of several kinds."""

import asyncio
import json
import os
import time
from typing import Any

import django
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}, ALLOWED_HOSTS=["*"]
)
django.setup()

from django.urls import path  # noqa: E402

from channels import telemetry  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

#: Where consumers note what they were disconnected with; a line is written in one piece.
NOTES = os.open(os.environ["ENDURANCE_NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
PIECE = b"x" * 65536


#: What the process has worked between two ticks of a timer, in seconds of its own; nobody else was served.
held: list[float] = []
_TICK = 0.001
_ticking: list[asyncio.Task[None]] = []


async def tick() -> None:
    while True:
        before = time.thread_time()
        await asyncio.sleep(_TICK)
        held.append(time.thread_time() - before)


class Listener(AsyncWebsocketConsumer):
    groups = ["everybody"]  # noqa: RUF012

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)

    async def disconnect(self, code: int) -> None:
        os.write(NOTES, b"%d\n" % code)

    async def said(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


class Firehose(AsyncWebsocketConsumer):
    groups = ["firehose"]  # noqa: RUF012


async def respond(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def http(scope: Any, receive: Any, send: Any) -> None:
    layer = get_channel_layer()
    if not _ticking:
        _ticking.append(asyncio.ensure_future(tick()))
    if scope["path"] == "/say":
        await layer.group_send("everybody", {"type": "said", "text": "to everybody"})
    elif scope["path"] == "/pour":
        await layer.group_send("firehose", {"type": "websocket.send", "bytes": PIECE})
    elif scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await asyncio.sleep(0)
    elif scope["path"] == "/held":
        await respond(send, json.dumps(sorted(held)).encode())
        return
    elif scope["path"] == "/counters":
        await respond(send, json.dumps(telemetry.counters).encode())
        return
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await respond(send, b"ok")


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([path("", Listener.as_asgi()), path("firehose/", Firehose.as_asgi())]),
    }
)
