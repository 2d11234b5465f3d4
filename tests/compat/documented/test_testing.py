"""What the documentation of Channels says of tests: communicators in test cases, and the live server."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import path
from websockets.sync.client import connect

from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import (
    ApplicationCommunicator,
    ChannelsLiveServerTestCase,
    HttpCommunicator,
    WebsocketCommunicator,
)

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TIMEOUT = 20

#: django-stubs knows routes that lead to views only.
PAGES: Any = get_asgi_application()


class Answers(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        await self.send_response(200, b"test response")


class Counts(WebsocketConsumer):
    """Sends how many users there are; a sync consumer, so it looks from a thread."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data=str(get_user_model().objects.count()))


class AsyncCounts(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=str(await get_user_model().objects.acount()))


class Tests(TestCase):
    """The first example of the page, and users made inside the transaction of a TestCase."""

    @classmethod
    def setUpTestData(cls) -> None:
        get_user_model().objects.create_user("ada")

    async def test_my_consumer(self) -> None:
        communicator = HttpCommunicator(Answers.as_asgi(), "GET", "/test/")
        response = await communicator.get_response(timeout=TIMEOUT)
        assert response["body"] == b"test response"
        assert response["status"] == 200

    async def test_consumers_see_the_data_of_the_test(self) -> None:
        await get_user_model().objects.acreate(username="ben")
        for consumer in (Counts, AsyncCounts):
            socket = WebsocketCommunicator(consumer.as_asgi(), "/")
            await socket.connect(timeout=TIMEOUT)
            await socket.send_to(text_data="?")
            assert await socket.receive_from(timeout=TIMEOUT) == "2"
            await socket.disconnect(timeout=TIMEOUT)

    def test_from_sync_code(self) -> None:
        communicator = HttpCommunicator(Answers.as_asgi(), "GET", "/test/")
        response = async_to_sync(communicator.get_response)(timeout=TIMEOUT)
        assert response["status"] == 200


class TransactionTests(TransactionTestCase):
    async def test_consumers_see_what_was_committed(self) -> None:
        await database_sync_to_async(get_user_model().objects.create_user)("ada")
        socket = WebsocketCommunicator(Counts.as_asgi(), "/")
        await socket.connect(timeout=TIMEOUT)
        await socket.send_to(text_data="?")
        assert await socket.receive_from(timeout=TIMEOUT) == "1"
        await socket.disconnect(timeout=TIMEOUT)


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data != "nothing":
            await self.send(text_data=text_data, bytes_data=bytes_data)


class Closes(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.close()


async def test_the_calls_of_the_websocket_communicator() -> None:
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/testws/", headers=[(b"a", b"b")])
    connected, subprotocol = await communicator.connect(timeout=TIMEOUT)
    assert connected
    assert subprotocol is None
    await communicator.send_to(text_data="hello")
    assert await communicator.receive_from(timeout=TIMEOUT) == "hello"
    await communicator.send_to(bytes_data=b"hi\0")
    assert await communicator.receive_from(timeout=TIMEOUT) == b"hi\0"
    await communicator.send_json_to({"hello": "world"})
    assert await communicator.receive_json_from(timeout=TIMEOUT) == {"hello": "world"}
    await communicator.send_to(text_data="nothing")
    assert await communicator.receive_nothing() is True
    await communicator.disconnect(code=1001)


async def test_one_of_text_and_bytes() -> None:
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
    await communicator.connect(timeout=TIMEOUT)
    with pytest.raises(AssertionError):
        await communicator.send_to()
    with pytest.raises(AssertionError):
        await communicator.send_to(text_data="a", bytes_data=b"b")
    await communicator.send_to(bytes_data=b"[1]")
    with pytest.raises(AssertionError):
        await communicator.receive_json_from(timeout=TIMEOUT)
    await communicator.disconnect()


async def test_another_message_than_a_frame() -> None:
    communicator = WebsocketCommunicator(Closes.as_asgi(), "/")
    await communicator.connect(timeout=TIMEOUT)
    with pytest.raises(AssertionError, match="Expected type 'websocket.send', but was 'websocket.close'"):
        await communicator.receive_from(timeout=TIMEOUT)


async def test_nothing_to_receive_is_a_timeout() -> None:
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
    await communicator.connect(timeout=TIMEOUT)
    with pytest.raises(asyncio.TimeoutError):
        await communicator.receive_from(timeout=0.05)
    assert communicator.future.cancelled() or communicator.future.done()


async def test_an_application_communicator() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": scope["answer"]})
        await send({"type": "http.response.body", "body": b""})

    communicator = ApplicationCommunicator(application, {"type": "http", "answer": 201})
    await communicator.send_input({"type": "http.request", "body": b"chunk one", "more_body": False})
    event = await communicator.receive_output(timeout=TIMEOUT)
    assert event == {"type": "http.response.start", "status": 201}
    assert await communicator.receive_nothing(timeout=0.05, interval=0.01) is False
    await communicator.receive_output(timeout=TIMEOUT)
    await communicator.wait(timeout=TIMEOUT)


async def test_what_the_application_raises_comes_out() -> None:
    class Fails(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            raise LookupError("from the consumer")

    with pytest.raises(LookupError, match="from the consumer"):
        await WebsocketCommunicator(Fails.as_asgi(), "/").connect(timeout=TIMEOUT)


async def test_the_scope_can_be_changed_before_connecting() -> None:
    class Names(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            await self.send(text_data=f"{self.scope['url_route']['kwargs']['room']} {self.scope['user']}")

    communicator = WebsocketCommunicator(Names.as_asgi(), "/")
    communicator.scope["url_route"] = {"args": (), "kwargs": {"room": "lobby"}}
    communicator.scope["user"] = "ada"
    await communicator.connect(timeout=TIMEOUT)
    assert await communicator.receive_from(timeout=TIMEOUT) == "lobby ada"
    await communicator.disconnect(timeout=TIMEOUT)


async def test_a_router_around_the_consumer() -> None:
    application = URLRouter([path("testws/<message>/", Echo.as_asgi())])
    communicator = WebsocketCommunicator(application, "/testws/test/")
    assert await communicator.connect(timeout=TIMEOUT) == (True, None)
    assert communicator.scope["path"] == "/testws/test/"
    await communicator.disconnect(timeout=TIMEOUT)


class Ends(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        raise StopConsumer


async def test_a_consumer_that_ended() -> None:
    communicator = WebsocketCommunicator(Ends.as_asgi(), "/")
    await communicator.connect(timeout=TIMEOUT)
    await communicator.wait(timeout=TIMEOUT)


class Room(AsyncWebsocketConsumer):
    groups = ["live"]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        layer = get_channel_layer()
        users = await get_user_model().objects.acount()
        await layer.group_send("live", {"type": "said", "text": f"{text_data} {users}"})

    async def said(self, event: Any) -> None:
        await self.send(text_data=event["text"])


LIVE = ProtocolTypeRouter(
    {
        "http": URLRouter([path("plain/", Answers.as_asgi()), path("", PAGES)]),
        "websocket": URLRouter([path("room/", Room.as_asgi())]),
    }
)


@override_settings(ASGI_APPLICATION=f"{__name__}.LIVE", CHANNEL_LAYERS=IN_MEMORY)
class LiveTests(ChannelsLiveServerTestCase):
    """The tutorial's fourth part without its browser: two clients in a room."""

    serve_static = False

    def test_two_clients_of_the_live_server(self) -> None:
        get_user_model().objects.create_user("ada")
        url = f"{self.live_server_ws_url}/room/"
        with connect(url, open_timeout=TIMEOUT) as ada, connect(url, open_timeout=TIMEOUT) as ben:
            ada.send("hello")
            assert ben.recv(timeout=TIMEOUT) == "hello 1"
            assert ada.recv(timeout=TIMEOUT) == "hello 1"

    def test_requests(self) -> None:
        with urllib.request.urlopen(f"{self.live_server_url}/plain/", timeout=TIMEOUT) as response:
            assert response.read() == b"test response"


class LiveSubclass(LiveTests):
    """Its attributes can be overridden, as a class of its own."""

    host = "127.0.0.1"
    serve_static = True

    class static_wrapper:
        def __init__(self, application: Any) -> None:
            self.application = application

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["path"] == "/static/x":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"static"})
            else:
                await self.application(scope, receive, send)

    def test_the_static_wrapper(self) -> None:
        assert "//127.0.0.1:" in self.live_server_url
        with urllib.request.urlopen(f"{self.live_server_url}/static/x", timeout=TIMEOUT) as response:
            assert response.read() == b"static"
