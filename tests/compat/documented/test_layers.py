"""What the documentation of Channels says of channel layers, of workers and of layers written by others.

These tests pass with the originals as well.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from channels import DEFAULT_CHANNEL_LAYER
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.exceptions import ChannelFull, InvalidChannelLayerError, StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import (
    BaseChannelLayer,
    ChannelLayerManager,
    InMemoryChannelLayer,
    channel_layers,
    get_channel_layer,
)
from channels.routing import ChannelNameRouter, ProtocolTypeRouter
from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from channels.worker import Worker

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TIMEOUT = 20

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_the_setting_there_is_no_layer() -> None:
    assert get_channel_layer() is None
    assert DEFAULT_CHANNEL_LAYER == "default"


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
def test_from_a_script_or_a_view() -> None:
    layer = get_channel_layer()
    async_to_sync(layer.group_add)("news", "reader")
    async_to_sync(layer.group_send)("news", {"type": "news.flash", "text": "hello"})
    assert async_to_sync(layer.receive)("reader") == {"type": "news.flash", "text": "hello"}
    async_to_sync(layer.group_discard)("news", "reader")
    async_to_sync(layer.send)("reader", {"type": "hello"})
    assert async_to_sync(layer.receive)("reader") == {"type": "hello"}


@override_settings(
    CHANNEL_LAYERS={
        **IN_MEMORY,
        "other": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"capacity": 1, "expiry": 5},
            "TEST_CONFIG": {"capacity": 2},
        },
    }
)
async def test_several_layers_by_alias() -> None:
    other = get_channel_layer("other")
    assert other is channel_layers["other"] is not get_channel_layer()
    assert (other.capacity, other.expiry) == (1, 5)
    assert "other" in channel_layers
    assert "third" not in channel_layers
    await other.send("a", {"type": "x"})
    with pytest.raises(ChannelFull):
        await other.send("a", {"type": "x"})
    await other.flush()
    assert ChannelLayerManager().make_test_backend("other").capacity == 2


@override_settings(CHANNEL_LAYERS={"default": {}})
def test_a_layer_without_a_backend() -> None:
    with pytest.raises(InvalidChannelLayerError):
        get_channel_layer()


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
def test_a_layer_without_a_test_config() -> None:
    with pytest.raises(InvalidChannelLayerError):
        ChannelLayerManager().make_test_backend("default")


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
def test_a_layer_can_be_set_for_a_test() -> None:
    stub = InMemoryChannelLayer()
    before = channel_layers.set("default", stub)
    try:
        assert get_channel_layer() is stub
    finally:
        assert channel_layers.set("default", before) is stub


async def test_capacities_by_name() -> None:
    layer = InMemoryChannelLayer(
        capacity=5,
        channel_capacity={"http.request": 2, "http.response!*": 3, re.compile(r"^websocket.send\!.+"): 1},
    )
    names = ("http.request", "http.response!a", "websocket.send!a", "other")
    assert [layer.get_capacity(name) for name in names] == [2, 3, 1, 5]


async def test_a_full_channel_is_an_error_for_send_but_not_for_a_group() -> None:
    layer = InMemoryChannelLayer(capacity=1)
    await layer.group_add("g", "full")
    await layer.send("full", {"type": "first"})
    with pytest.raises(ChannelFull):
        await layer.send("full", {"type": "second"})
    await layer.group_send("g", {"type": "third"})
    assert await layer.receive("full") == {"type": "first"}


async def test_what_the_sender_changes_later_is_not_seen() -> None:
    layer = InMemoryChannelLayer()
    message = {"type": "x", "list": [1]}
    await layer.send("a", message)
    message["list"].append(2)  # type: ignore[attr-defined]
    assert (await layer.receive("a"))["list"] == [1]


@pytest.mark.parametrize("name", ["", "¯\\_(ツ)_/¯", "chat_ with_a_space", "x" * 100, 5, "with/slash"])
async def test_names_have_a_grammar(name: Any) -> None:
    layer = InMemoryChannelLayer()
    with pytest.raises(TypeError, match="Channel name must be a valid unicode string with length < 100"):
        await layer.send(name, {"type": "x"})
    with pytest.raises(TypeError, match="Group name must be a valid unicode string with length < 100"):
        await layer.group_add(name, "a")


def test_extensions_are_named() -> None:
    assert set(InMemoryChannelLayer.extensions) >= {"groups", "flush"}


class Room(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()

    async def disconnect(self, close_code: int) -> None:
        await self.channel_layer.group_discard("room", self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("room", {"type": "chat.message", "text": text_data})

    async def chat_message(self, event: Any) -> None:
        await self.send(text_data=event["text"])


class SyncRoom(WebsocketConsumer):
    def connect(self) -> None:
        async_to_sync(self.channel_layer.group_add)("room", self.channel_name)
        self.accept()

    def disconnect(self, close_code: int) -> None:
        async_to_sync(self.channel_layer.group_discard)("room", self.channel_name)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async_to_sync(self.channel_layer.group_send)("room", {"type": "chat.message", "text": text_data})

    def chat_message(self, event: Any) -> None:
        self.send(text_data=event["text"])


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_a_room_with_groups() -> None:
    ada = WebsocketCommunicator(Room.as_asgi(), "/")
    ben = WebsocketCommunicator(SyncRoom.as_asgi(), "/")
    for socket in (ada, ben):
        assert (await socket.connect(timeout=TIMEOUT))[0]
    for speaker in (ada, ben):
        await speaker.send_to(text_data="hi")
        assert await ada.receive_from(timeout=TIMEOUT) == await ben.receive_from(timeout=TIMEOUT) == "hi"
    await ada.disconnect(timeout=TIMEOUT)
    await ben.send_to(text_data="alone")
    assert await ben.receive_from(timeout=TIMEOUT) == "alone"
    await ben.disconnect(timeout=TIMEOUT)


async def test_a_worker_consumer_gets_what_is_sent_to_its_channel() -> None:
    printed: list[Any] = []
    both = asyncio.Event()

    class PrintConsumer(SyncConsumer):
        def test_print(self, message: Any) -> None:
            printed.append((self.scope["type"], self.scope["channel"], message["text"]))
            if len(printed) == 2:
                loop.call_soon_threadsafe(both.set)

    loop = asyncio.get_running_loop()
    layer = InMemoryChannelLayer()
    router = ChannelNameRouter({"testing-print": PrintConsumer.as_asgi()})
    worker = Worker(
        application=ProtocolTypeRouter({"channel": router}), channels=["testing-print"], channel_layer=layer
    )
    task = asyncio.ensure_future(worker.handle())
    for text in ("one", "two"):
        await layer.send("testing-print", {"type": "test.print", "text": text})
    await asyncio.wait_for(both.wait(), TIMEOUT)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert printed == [("channel", "testing-print", "one"), ("channel", "testing-print", "two")]


async def test_a_consumer_for_a_channel_name_with_a_communicator() -> None:
    done = asyncio.Event()

    class Thumbnails(AsyncConsumer):
        async def generate(self, message: Any) -> None:
            assert message["id"] == 7
            done.set()
            raise StopConsumer

    router = ChannelNameRouter({"thumbnails": Thumbnails.as_asgi()})
    application = ApplicationCommunicator(router, {"type": "channel", "channel": "thumbnails"})
    await application.send_input({"type": "generate", "id": 7})
    await application.wait(timeout=TIMEOUT)
    assert done.is_set()


class QueueLayer(BaseChannelLayer):
    """A layer as others write them: it knows no more than the documented methods."""

    extensions = ["groups"]

    def __init__(
        self, expiry: int = 60, capacity: int = 100, channel_capacity: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        self.queues: dict[str, asyncio.Queue[Any]] = {}
        self.members: dict[str, set[str]] = {}
        self.count = 0

    async def send(self, channel: str, message: Any) -> None:
        self.require_valid_channel_name(channel)
        self.queues.setdefault(channel, asyncio.Queue()).put_nowait(dict(message))

    async def receive(self, channel: str) -> Any:
        self.require_valid_channel_name(channel)
        return await self.queues.setdefault(channel, asyncio.Queue()).get()

    async def new_channel(self, prefix: str = "specific.") -> str:
        self.count += 1
        return f"{prefix}queue!{self.count}"

    async def group_add(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.members.setdefault(group, set()).add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self.members.get(group, set()).discard(channel)

    async def group_send(self, group: str, message: Any) -> None:
        for channel in self.members.get(group, ()):
            await self.send(channel, message)


QUEUES = {"default": {"BACKEND": "tests.compat.documented.test_layers.QueueLayer", "CONFIG": {"capacity": 7}}}


@override_settings(CHANNEL_LAYERS=QUEUES)
@pytest.mark.parametrize("base", [AsyncWebsocketConsumer, WebsocketConsumer])
async def test_a_layer_of_somebody_else(base: Any) -> None:
    if base is AsyncWebsocketConsumer:

        async def told(self: Any, event: Any) -> None:
            await self.send(text_data=event["text"])
    else:

        def told(self: Any, event: Any) -> None:  # type: ignore[misc]
            self.send(text_data=event["text"])

    consumer: Any = type("Member", (base,), {"groups": ["all"], "told": told})
    layer = get_channel_layer()
    assert isinstance(layer, QueueLayer)
    assert layer.capacity == 7
    sockets = [WebsocketCommunicator(consumer.as_asgi(), "/") for _ in range(2)]
    for socket in sockets:
        assert (await socket.connect(timeout=TIMEOUT))[0]
    for text in ("first", "second"):
        await layer.group_send("all", {"type": "told", "text": text})
    for socket in sockets:
        assert await socket.receive_from(timeout=TIMEOUT) == "first"
        assert await socket.receive_from(timeout=TIMEOUT) == "second"
        await socket.disconnect(timeout=TIMEOUT)
    assert not layer.members["all"]
