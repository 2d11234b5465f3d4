"""Group messages of type ``websocket.send``: from the group to real sockets."""

from __future__ import annotations

import asyncio
import functools
import socket as sockets
from typing import Any
from unittest.mock import AsyncMock

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.test import override_settings
from websockets.asyncio.client import connect

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import InMemoryChannelLayer, get_channel_layer
from channels.layers.base import BaseChannelLayer
from channels.middleware import BaseMiddleware
from channels.protocols.websocket import frames as websocket_frame
from channels.server.connection.connection import Connection
from channels.sessions import CookieMiddleware, InstanceSessionWrapper, SessionMiddlewareStack
from channels.testing import WebsocketCommunicator
from tests.server.helpers import LONG, Running, eventually, serve

pytestmark = pytest.mark.usefixtures("layer")


def wraps(function: Any) -> Any:
    """Do as :func:`functools.wraps`, with no word about types."""
    return functools.wraps(function)


@pytest.fixture
def layer():
    backend = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with override_settings(CHANNEL_LAYERS={"default": backend}):
        yield


class Room(AsyncWebsocketConsumer):
    groups = ("room",)
    seen: list[Any] = []

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send("room", {"type": "websocket.send", "text": text_data})
        await self.send(text_data="sent")


class Watching(Room):
    """Writes down what its dispatch sees."""

    async def dispatch(self, message):
        self.seen.append(message["type"])
        await super().dispatch(message)


class Own(Room):
    async def websocket_send(self, message):
        await self.send(text_data=message["text"].upper())


class Decorated(Room):
    @wraps(Room.websocket_send)
    async def websocket_send(self, message):
        await self.send(text_data="decorated " + message["text"])


class SyncRoom(WebsocketConsumer):
    groups = ("room",)


class PlainSource:
    """A source with what :class:`~channels.typing.EventSource` asks for, and nothing more."""

    def __init__(self, source: Any) -> None:
        self.receive_nowait, self.set_wakeup = source.receive_nowait, source.set_wakeup


class PushingLayer(BaseChannelLayer):
    """A layer of somebody else that pushes."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.inner = InMemoryChannelLayer()
        self.new_channel, self.group_add = self.inner.new_channel, self.inner.group_add
        self.group_discard, self.group_send = self.inner.group_discard, self.inner.group_send
        self.detach = self.inner.detach

    async def receive(self, channel):
        raise AssertionError("it pushes")

    def attach(self, channel, reconnect_notice=False):
        return PlainSource(self.inner.attach(channel, reconnect_notice))

    pushing_receive = receive


class Clients:
    """Several sockets on one server."""

    def __init__(self, running: Running, amount: int, **options: Any) -> None:
        host, port = running.server.addresses[0]
        self._contexts = [connect(f"ws://{host}:{port}/", **options) for _ in range(amount)]

    async def __aenter__(self) -> list[Any]:
        async with asyncio.timeout(LONG):
            sockets = [await context.__aenter__() for context in self._contexts]
            await eventually(lambda: members() == len(sockets))
        return sockets

    async def __aexit__(self, *error: Any) -> None:
        for context in self._contexts:
            await context.__aexit__(*error)


def members() -> int:
    return len(get_channel_layer().groups.get("room", ()))


async def received(client: Any, amount: int) -> list[Any]:
    async with asyncio.timeout(LONG):
        return [await client.recv() for _ in range(amount)]


async def group_send(*texts: str) -> None:
    for text in texts:
        await get_channel_layer().group_send("room", {"type": "websocket.send", "text": text})


@pytest.fixture
def encodings(monkeypatch):
    """The messages that frames were made of."""
    made: list[Any] = []
    encode = websocket_frame.encode_message

    def counting(data, deflate=None):
        made.append(data)
        return encode(data, deflate)

    monkeypatch.setattr("channels.server.asgi.broadcast_frames.encode_message", counting)
    monkeypatch.setattr("channels.protocols.websocket.connection.encode_message", counting)
    monkeypatch.setattr("channels.server.asgi.websocket.text_frame", counting)
    return made


async def test_a_session_is_no_detour(encodings):
    app = SessionMiddlewareStack(BaseMiddleware(Room.as_asgi()))
    async with serve(app) as running, Clients(running, 3) as clients:
        await group_send("a")
        for client in clients:
            assert await received(client, 1) == ["a"]
        assert encodings == ["a"]


class Saves(InstanceSessionWrapper):
    save_message_types = ["websocket.accept", "websocket.send"]


class Overrides(InstanceSessionWrapper):
    async def send(self, message):
        return await super().send(message)


@pytest.mark.parametrize("kind", [Saves, Overrides])
async def test_a_session_that_looks_at_each_message_sees_each(kind, encodings):
    async def app(scope, receive, send):
        wrapper = kind(scope, send)
        await wrapper.resolve_session()
        await Room.as_asgi()(wrapper.scope, receive, wrapper.send)

    async with serve(CookieMiddleware(app)) as running, Clients(running, 2) as clients:
        await group_send("a")
        for client in clients:
            assert await received(client, 1) == ["a"]
        assert encodings == ["a", "a"]


async def test_a_frame_is_made_once(encodings):
    async with serve(Room.as_asgi()) as running, Clients(running, 5) as clients:
        await group_send("a", "b")
        for client in clients:
            assert await received(client, 2) == ["a", "b"]
        assert encodings == ["a", "b"]
        assert get_channel_layer().statistics()["delivered"] == 10


async def test_all_of_a_turn_leaves_in_one_write(monkeypatch):
    async with serve(Room.as_asgi()) as running, Clients(running, 3) as clients:
        writes = []
        write_now = Connection.write_now

        def counting(self, data):
            writes.append(data)
            write_now(self, data)

        monkeypatch.setattr(Connection, "write_now", counting)
        await group_send("one", "two", "three")
        for client in clients:
            assert await received(client, 3) == ["one", "two", "three"]
        assert writes == [b"\x81\x03one\x81\x03two\x81\x05three"] * 3


async def test_the_senders_own_answer_keeps_its_place():
    async with serve(Room.as_asgi()) as running, Clients(running, 2) as (sender, other):
        await sender.send("hello")
        assert await received(sender, 2) == ["sent", "hello"]
        assert await received(other, 1) == ["hello"]


async def test_a_mock_in_place_of_the_handler_is_called(monkeypatch):
    handler = AsyncMock()
    monkeypatch.setattr(Room, "websocket_send", handler)
    async with serve(Room.as_asgi()) as running, Clients(running, 1):
        await group_send("hello")
        await eventually(lambda: handler.await_count == 1)
    handler.assert_awaited_once_with({"type": "websocket.send", "text": "hello"})


async def test_a_layer_of_somebody_else_pushes_through_the_consumers():
    with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": f"{__name__}.PushingLayer"}}):
        async with serve(Room.as_asgi()) as running:
            host, port = running.server.addresses[0]
            async with asyncio.timeout(LONG), connect(f"ws://{host}:{port}/") as client:
                await client.send("hello")
                assert {await client.recv(), await client.recv()} == {"sent", "hello"}


async def test_a_decorated_handler_is_called():
    async with serve(Decorated.as_asgi()) as running, Clients(running, 1) as (client,):
        await group_send("hello")
        assert await received(client, 1) == ["decorated hello"]


@pytest.mark.parametrize(("consumer", "expected"), [(Own, "HELLO"), (Watching, "hello")])
async def test_what_a_class_overrides_is_honoured(consumer, expected):
    consumer.seen.clear()
    async with serve(consumer.as_asgi()) as running, Clients(running, 2) as clients:
        await group_send("hello")
        for client in clients:
            assert await received(client, 1) == [expected]
    if consumer is Watching:
        assert consumer.seen.count("websocket.send") == 2


@pytest.mark.parametrize("wrapped", ["send", "receive"])
async def test_a_middleware_that_wraps_sees_everything(wrapped):
    seen = []

    async def middleware(scope, receive, send):
        async def watching_send(message):
            seen.append(message["type"])
            await send(message)

        async def watching_receive():
            return await receive()

        if wrapped == "send":
            await Room.as_asgi()(scope, receive, watching_send)
        else:
            await Room.as_asgi()(scope, watching_receive, send)

    async with serve(middleware) as running, Clients(running, 2) as clients:
        await group_send("hello")
        for client in clients:
            assert await received(client, 1) == ["hello"]
    if wrapped == "send":
        assert seen.count("websocket.send") == 2


async def test_sync_consumers_are_not_woken_either(encodings):
    async with serve(SyncRoom.as_asgi()) as running, Clients(running, 2) as clients:
        channels = get_channel_layer().channels.values()
        await eventually(lambda: all(channel.direct.__self__._waiter for channel in channels))
        layer = get_channel_layer()
        await sync_to_async(layer.sync.group_send)("room", {"type": "websocket.send", "text": "x"})
        for client in clients:
            assert await received(client, 1) == ["x"]
        assert encodings == ["x"]


async def test_text_and_bytes():
    async with serve(Room.as_asgi()) as running, Clients(running, 1) as (client,):
        await get_channel_layer().group_send("room", {"type": "websocket.send", "bytes": b"1", "text": "2"})
        assert await received(client, 2) == [b"1", "2"]


async def test_one_that_cannot_be_sent_fails_in_the_consumer(caplog):
    async with serve(Room.as_asgi()) as running, Clients(running, 1) as (client,):
        await get_channel_layer().group_send("room", {"type": "websocket.send", "text": 5})
        with pytest.raises(websockets.ConnectionClosedError):
            await received(client, 1)
        assert client.close_code == 1011
    assert "handling 'websocket.send'" in caplog.text + "".join(
        note for record in caplog.records if record.exc_info for note in record.exc_info[1].__notes__
    )


async def test_compressed_once_for_all_that_agreed(encodings):
    async with serve(Room.as_asgi(), websocket_deflate=True) as running, Clients(running, 3) as clients:
        text = "again and " * 50
        await group_send(text)
        for client in clients:
            assert await received(client, 1) == [text]
        assert len(encodings) == 1


async def test_a_slow_reader_gets_it_through_its_consumer():
    """While a socket is congested its messages wait on the channel, within its capacity."""
    async with serve(Room.as_asgi(), write_buffer_size=1024) as running, Clients(running, 1) as (client,):
        (connection,) = running.runtime.connections
        transport = connection._transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        client.transport.pause_reading()
        texts = [f"{n:06}" * 5000 for n in range(60)]
        for text in texts:
            await group_send(text)
            await asyncio.sleep(0)
        assert connection.congested
        assert get_channel_layer().statistics()["unread"] > 0
        client.transport.resume_reading()
        assert await received(client, len(texts)) == texts


async def test_communicators_get_them_too():
    communicator = WebsocketCommunicator(Room.as_asgi(), "/")
    await communicator.connect()
    await group_send("hello")
    assert await communicator.receive_from() == "hello"
    await communicator.disconnect()
