"""How user code looks to a type checker; test_api.py has mypy read it. Nothing here is run."""

from __future__ import annotations

from typing import Any, assert_type

from django.core.asgi import get_asgi_application
from django.urls import path

from channels.auth import AuthMiddlewareStack
from channels.consumer import AsyncConsumer
from channels.exceptions import RouteNotFound
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
from channels.middleware import BaseMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.testing import HttpCommunicator, WebsocketCommunicator
from channels.typing import Message, Receive, Scope, Send


class Chat(AsyncJsonWebsocketConsumer):
    groups = ["chat"]

    async def connect(self) -> None:
        await self.accept(subprotocol="chat.v1", headers=[(b"x-room", b"lobby")])

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.channel_layer.group_send("chat", {"type": "chat.message", "content": content})

    async def chat_message(self, event: Message) -> None:
        await self.send_json(event["content"], close=False)


class Blocking(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data=text_data, bytes_data=bytes_data)
        self.close(code=4000, reason="enough")


class Poll(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        await self.send_response(200, b"ok", headers=[(b"content-type", b"text/plain")])


class Named(BaseMiddleware):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await super().__call__({**scope, "name": "ada"}, receive, send)


application = ProtocolTypeRouter(
    {
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                Named(URLRouter([path("chat/", Chat.as_asgi()), path("slow/", Blocking.as_asgi())]))
            )
        )
    }
)


async def talk() -> None:
    socket = WebsocketCommunicator(application, "/chat/")
    connected, answer = await socket.connect()
    assert_type(connected, bool)
    assert_type(answer, str | int | None)
    await socket.send_json_to({"text": "hello"})
    assert_type(await socket.receive_nothing(), bool)
    await socket.disconnect(code=1000)
    page = await HttpCommunicator(get_asgi_application(), "GET", "/").get_response()
    assert_type(page["status"], int)


def remedy(error: RouteNotFound, consumer: AsyncConsumer) -> str:
    assert_type(error.routes, tuple[str, ...])
    assert_type(consumer.channel_name, str)
    return error.path
