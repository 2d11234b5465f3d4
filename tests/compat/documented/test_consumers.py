"""What the documentation of Channels says of consumers, tried on code as its readers write it.

These tests pass with the originals as well. They follow one page of that documentation, which makes a
long file.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import override_settings

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import AcceptConnection, DenyConnection, InvalidChannelLayerError, StopConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from channels.layers import get_channel_layer
from channels.testing import ApplicationCommunicator, HttpCommunicator, WebsocketCommunicator

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TIMEOUT = 20

pytestmark = pytest.mark.django_db(transaction=True)


class SyncEcho(SyncConsumer):
    def websocket_connect(self, event: Any) -> None:
        self.send({"type": "websocket.accept"})

    def websocket_receive(self, event: Any) -> None:
        self.send({"type": "websocket.send", "text": event["text"]})

    def websocket_disconnect(self, event: Any) -> None:
        raise StopConsumer


class AsyncEcho(AsyncConsumer):
    async def websocket_connect(self, event: Any) -> None:
        await self.send({"type": "websocket.accept"})

    async def websocket_receive(self, event: Any) -> None:
        await self.send({"type": "websocket.send", "text": event["text"]})

    async def websocket_disconnect(self, event: Any) -> None:
        raise StopConsumer


@pytest.mark.parametrize("consumer", [SyncEcho, AsyncEcho])
async def test_a_basic_consumer_echoes(consumer: Any) -> None:
    socket = WebsocketCommunicator(consumer.as_asgi(), "/")
    assert await socket.connect(timeout=TIMEOUT) == (True, None)
    await socket.send_to(text_data="hello")
    assert await socket.receive_from(timeout=TIMEOUT) == "hello"
    await socket.disconnect(timeout=TIMEOUT)


async def test_without_stop_consumer_the_application_goes_on_after_the_disconnect() -> None:
    class Stays(AsyncEcho):
        async def websocket_disconnect(self, event: Any) -> None:
            await self.send({"type": "test.disconnected", "code": event["code"]})

    socket = WebsocketCommunicator(Stays.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    assert await socket.receive_output(timeout=TIMEOUT) == {"type": "test.disconnected", "code": 1001}
    assert not socket.future.done()
    socket.stop(exceptions=False)


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_each_consumer_has_a_channel_and_a_layer() -> None:
    class Named(AsyncEcho):
        async def websocket_receive(self, event: Any) -> None:
            assert self.channel_layer is get_channel_layer()
            await self.channel_layer.send(self.channel_name, {"type": "chat.message", "text": "by the layer"})

        async def chat_message(self, event: Any) -> None:
            await self.send({"type": "websocket.send", "text": event["text"]})

    socket = WebsocketCommunicator(Named.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_to(text_data="x")
    assert await socket.receive_from(timeout=TIMEOUT) == "by the layer"
    await socket.disconnect(timeout=TIMEOUT)


async def test_the_scope_has_the_connections_details() -> None:
    class Tells(AsyncEcho):
        async def websocket_connect(self, event: Any) -> None:
            await self.send({"type": "websocket.accept"})
            scope = self.scope
            found = [scope["path"], scope["query_string"].decode(), dict(scope["headers"])[b"x-a"].decode()]
            await self.send({"type": "websocket.send", "text": " ".join(found)})

    socket = WebsocketCommunicator(Tells.as_asgi(), "/chat/?room=1", headers=[(b"x-a", b"b")])
    await socket.connect(timeout=TIMEOUT)
    assert await socket.receive_from(timeout=TIMEOUT) == "/chat/ room=1 b"
    await socket.disconnect(timeout=TIMEOUT)


async def test_as_asgi_takes_arguments_for_each_instance() -> None:
    class Configured(AsyncWebsocketConsumer):
        made = 0

        def __init__(self, greeting: str) -> None:
            super().__init__()
            self.greeting = greeting
            type(self).made += 1

        async def connect(self) -> None:
            await self.accept()
            await self.send(self.greeting)

    application = Configured.as_asgi(greeting="welcome")
    for _ in range(2):
        socket = WebsocketCommunicator(application, "/")
        await socket.connect(timeout=TIMEOUT)
        assert await socket.receive_from(timeout=TIMEOUT) == "welcome"
        await socket.disconnect(timeout=TIMEOUT)
    assert Configured.made == 2
    assert application.consumer_class is Configured
    assert application.consumer_initkwargs == {"greeting": "welcome"}


class DocumentedWebsocket(WebsocketConsumer):
    groups = ["broadcast"]
    said: list[Any] = []

    def connect(self) -> None:
        self.accept("v2" if "v2" in self.scope["subprotocols"] else None)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data is not None:
            self.send(bytes_data=bytes_data)
        elif text_data == "close with a frame":
            self.send("last", close=4123)
        elif text_data == "close":
            self.close(code=4000, reason="why not")
        else:
            self.send(text_data=text_data)

    def announce(self, event: Any) -> None:
        self.send(text_data=event["text"])

    def disconnect(self, close_code: int) -> None:
        self.said.append(close_code)


class DocumentedAsyncWebsocket(AsyncWebsocketConsumer):
    groups = ["broadcast"]
    said: list[Any] = []

    async def connect(self) -> None:
        await self.accept("v2" if "v2" in self.scope["subprotocols"] else None)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data is not None:
            await self.send(bytes_data=bytes_data)
        elif text_data == "close with a frame":
            await self.send("last", close=4123)
        elif text_data == "close":
            await self.close(code=4000, reason="why not")
        else:
            await self.send(text_data=text_data)

    async def announce(self, event: Any) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, close_code: int) -> None:
        self.said.append(close_code)


BOTH = pytest.mark.parametrize("consumer", [DocumentedWebsocket, DocumentedAsyncWebsocket])


@BOTH
@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_generic_websockets(consumer: Any) -> None:
    consumer.said.clear()
    socket = WebsocketCommunicator(consumer.as_asgi(), "/", subprotocols=["v1", "v2"])
    assert await socket.connect(timeout=TIMEOUT) == (True, "v2")
    await socket.send_to(text_data="text")
    assert await socket.receive_from(timeout=TIMEOUT) == "text"
    await socket.send_to(bytes_data=b"bytes")
    assert await socket.receive_from(timeout=TIMEOUT) == b"bytes"
    await get_channel_layer().group_send("broadcast", {"type": "announce", "text": "to all"})
    assert await socket.receive_from(timeout=TIMEOUT) == "to all"
    await socket.disconnect(code=1001, timeout=TIMEOUT)
    assert consumer.said == [1001]
    assert not get_channel_layer().groups.get("broadcast")


@BOTH
@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_closing_with_a_code_and_a_reason(consumer: Any) -> None:
    socket = WebsocketCommunicator(consumer.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_to(text_data="close")
    closing = await socket.receive_output(timeout=TIMEOUT)
    assert closing == {"type": "websocket.close", "code": 4000, "reason": "why not"}
    await socket.disconnect(timeout=TIMEOUT)


@BOTH
@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_a_frame_and_then_the_close(consumer: Any) -> None:
    socket = WebsocketCommunicator(consumer.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_to(text_data="close with a frame")
    assert await socket.receive_from(timeout=TIMEOUT) == "last"
    assert await socket.receive_output(timeout=TIMEOUT) == {"type": "websocket.close", "code": 4123}
    await socket.disconnect(timeout=TIMEOUT)


@pytest.mark.parametrize("consumer", [WebsocketConsumer, AsyncWebsocketConsumer])
async def test_groups_need_a_layer(consumer: Any) -> None:
    grouped: Any = type("Grouped", (consumer,), {"groups": ["a"]})
    socket = WebsocketCommunicator(grouped.as_asgi(), "/")
    with pytest.raises(InvalidChannelLayerError):
        await socket.connect(timeout=TIMEOUT)


@pytest.mark.parametrize(
    ("signal", "answer"), [(AcceptConnection, (True, None)), (DenyConnection, (False, 1000))]
)
async def test_connect_may_raise_its_answer(signal: type[Exception], answer: Any) -> None:
    class AsyncRaises(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            raise signal

    class Raises(WebsocketConsumer):
        def connect(self) -> None:
            raise signal

    for consumer in (AsyncRaises, Raises):
        socket = WebsocketCommunicator(consumer.as_asgi(), "/")
        assert await socket.connect(timeout=TIMEOUT) == answer
        await socket.disconnect(timeout=TIMEOUT)


async def test_refusing_by_close_in_connect_and_with_a_code() -> None:
    class Refuses(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.close(code=4003)

    socket = WebsocketCommunicator(Refuses.as_asgi(), "/")
    assert await socket.connect(timeout=TIMEOUT) == (False, 4003)
    await socket.disconnect(timeout=TIMEOUT)


async def test_accept_with_headers() -> None:
    class WithHeaders(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept(headers=[(b"x-version", b"2")])

    socket = WebsocketCommunicator(WithHeaders.as_asgi(), "/")
    assert await socket.connect(timeout=TIMEOUT) == (True, None)
    assert socket.response_headers == [(b"x-version", b"2")]
    await socket.disconnect(timeout=TIMEOUT)


ACCEPTS = [
    ({}, {"subprotocol": None}),
    ({"subprotocol": "v2"}, {"subprotocol": "v2"}),
    ({"headers": []}, {"subprotocol": None}),
    ({"headers": iter([(b"a", b"b")])}, {"subprotocol": None, "headers": [(b"a", b"b")]}),
]
CLOSES = [
    ({}, {}),
    ({"code": True}, {}),
    ({"code": 4000}, {"code": 4000}),
    ({"reason": "why"}, {"reason": "why"}),
    ({"code": 4000, "reason": "why"}, {"code": 4000, "reason": "why"}),
]


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [("accept", *case) for case in ACCEPTS] + [("close", *case) for case in CLOSES],
)
async def test_the_message_of_a_call_to_the_letter(call: str, options: Any, message: Any) -> None:
    class Calls(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await getattr(self, call)(**options)

    socket = WebsocketCommunicator(Calls.as_asgi(), "/")
    await socket.send_input({"type": "websocket.connect"})
    assert await socket.receive_output(timeout=TIMEOUT) == {"type": f"websocket.{call}", **message}
    await socket.disconnect(timeout=TIMEOUT)


@pytest.mark.parametrize("frame", [{"text": ""}, {"bytes": b""}, {"text": None, "bytes": b"a"}])
async def test_the_message_of_a_frame_to_the_letter(frame: Any) -> None:
    class Echo(AsyncWebsocketConsumer):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data=text_data, bytes_data=bytes_data)

    socket = WebsocketCommunicator(Echo.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_input({"type": "websocket.receive", **frame})
    answer = {key: value for key, value in frame.items() if value is not None}
    assert await socket.receive_output(timeout=TIMEOUT) == {"type": "websocket.send", **answer}
    await socket.disconnect(timeout=TIMEOUT)


class Sum(JsonWebsocketConsumer):
    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json({"sum": sum(content)}, close=len(content) > 2)


class AsyncSum(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json({"sum": sum(content)}, close=len(content) > 2)


@pytest.mark.parametrize("consumer", [Sum, AsyncSum])
async def test_json_consumers(consumer: Any) -> None:
    socket = WebsocketCommunicator(consumer.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_json_to([1, 2])
    assert await socket.receive_json_from(timeout=TIMEOUT) == {"sum": 3}
    await socket.send_json_to([1, 2, 3])
    assert await socket.receive_json_from(timeout=TIMEOUT) == {"sum": 6}
    assert await socket.receive_output(timeout=TIMEOUT) == {"type": "websocket.close"}
    await socket.disconnect(timeout=TIMEOUT)


@pytest.mark.parametrize("consumer", [Sum, AsyncSum])
async def test_json_consumers_refuse_bytes(consumer: Any) -> None:
    socket = WebsocketCommunicator(consumer.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    await socket.send_to(bytes_data=b"[1]")
    with pytest.raises(ValueError, match="No text section for incoming WebSocket frame!"):
        await socket.wait(timeout=TIMEOUT)


async def test_the_way_of_json_can_be_replaced() -> None:
    class Wrapped(AsyncJsonWebsocketConsumer):
        @classmethod
        async def decode_json(cls, text_data: str) -> Any:
            return json.loads(text_data)["data"]

        @classmethod
        async def encode_json(cls, content: Any) -> str:
            return json.dumps({"data": content})

        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            await self.send_json(content)

    class SyncWrapped(JsonWebsocketConsumer):
        @classmethod
        def decode_json(cls, text_data: str) -> Any:
            return json.loads(text_data)["data"]

        @classmethod
        def encode_json(cls, content: Any) -> str:
            return json.dumps({"data": content})

        def receive_json(self, content: Any, **kwargs: Any) -> None:
            self.send_json(content)

    for consumer in (Wrapped, SyncWrapped):
        socket = WebsocketCommunicator(consumer.as_asgi(), "/")
        await socket.connect(timeout=TIMEOUT)
        await socket.send_json_to({"data": [1]})
        assert await socket.receive_json_from(timeout=TIMEOUT) == {"data": [1]}
        await socket.disconnect(timeout=TIMEOUT)


async def test_a_basic_http_consumer_answers_after_a_while() -> None:
    class BasicHttp(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await asyncio.sleep(0)
            await self.send_response(
                200, b"Your response: " + body, headers=[(b"Content-Type", b"text/plain")]
            )

    http = HttpCommunicator(BasicHttp.as_asgi(), "POST", "/", body=b"bytes")
    response = await http.get_response(timeout=TIMEOUT)
    assert response == {
        "status": 200,
        "headers": [(b"Content-Type", b"text/plain")],
        "body": b"Your response: bytes",
    }


@pytest.mark.parametrize("headers", [{b"Cache-Control": b"no-cache"}, [(b"Cache-Control", b"no-cache")]])
async def test_server_sent_events(headers: Any) -> None:
    class Events(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_headers(headers=headers)
            for number in range(3):
                await self.send_body(f"data: {number}\n\n".encode(), more_body=True)
            await self.send_body(b"")

    http = HttpCommunicator(Events.as_asgi(), "GET", "/")
    response = await http.get_response(timeout=TIMEOUT)
    assert response["body"] == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert [tuple(pair) for pair in response["headers"]] == [(b"Cache-Control", b"no-cache")]


async def test_an_http_consumer_is_told_of_the_end() -> None:
    ended = asyncio.Event()

    class Waits(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_headers()
            await self.send_body(b"first", more_body=True)

        async def disconnect(self) -> None:
            ended.set()

    with override_settings(CHANNEL_LAYERS=IN_MEMORY):
        http = HttpCommunicator(Waits.as_asgi(), "GET", "/")
        await http.send_input({"type": "http.request", "body": b""})
        assert (await http.receive_output(timeout=TIMEOUT))["type"] == "http.response.start"
        assert (await http.receive_output(timeout=TIMEOUT))["body"] == b"first"
        await http.send_input({"type": "http.disconnect"})
        await http.wait(timeout=TIMEOUT)
    assert ended.is_set()


async def test_sync_code_in_async_consumers_and_the_other_way() -> None:
    class Mixed(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            await self.send(await self.name())
            await self.send(await sync_to_async(self.other)())

        @database_sync_to_async
        def name(self) -> str:
            return "from the database"

        def other(self) -> str:
            return async_to_sync(self.again)()

        async def again(self) -> str:
            return "there and back"

    socket = WebsocketCommunicator(Mixed.as_asgi(), "/")
    await socket.connect(timeout=TIMEOUT)
    assert await socket.receive_from(timeout=TIMEOUT) == "from the database"
    assert await socket.receive_from(timeout=TIMEOUT) == "there and back"
    await socket.disconnect(timeout=TIMEOUT)


async def test_a_message_without_a_handler() -> None:
    application = ApplicationCommunicator(AsyncEcho.as_asgi(), {"type": "websocket"})
    await application.send_input({"type": "no.such"})
    with pytest.raises(ValueError, match=r"No handler for message type no\.such"):
        await application.wait(timeout=TIMEOUT)


async def test_a_message_for_a_private_method() -> None:
    application = ApplicationCommunicator(AsyncEcho.as_asgi(), {"type": "websocket"})
    await application.send_input({"type": "_private.thing"})
    with pytest.raises(ValueError, match="Malformed type in message"):
        await application.wait(timeout=TIMEOUT)
