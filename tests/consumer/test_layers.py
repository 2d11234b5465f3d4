"""Consumers on layers that push, that are asked, and that others have written; and their own ``dispatch``."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import connections_due, database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer
from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from tests.server.helpers import LONG, UPGRADE, eventually, serve

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


class Answers(AsyncConsumer):
    async def test_name(self, message: Any) -> None:
        await self.send({"type": "answer", "name": self.channel_name})

    async def test_own(self, message: Any) -> None:
        own = asyncio.ensure_future(self.channel_receive())
        await self.channel_layer.send(self.channel_name, {"type": "test.never"})
        own.cancel()
        await self.send({"type": "answer", "asked": self.channel_receive is self.channel_receive})

    async def test_stop(self, message: Any) -> None:
        raise StopConsumer


class Dispatching(Answers):
    dispatched: list[Any] = []

    async def dispatch(self, message: Any) -> None:
        self.dispatched.append(message["type"])
        await super().dispatch(message)


async def ended(talk: ApplicationCommunicator) -> None:
    await talk.send_input({"type": "test.stop"})
    await talk.wait(LONG)


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_a_consumer_may_ask_its_channel_itself() -> None:
    talk = ApplicationCommunicator(Answers.as_asgi(), {"type": "test"})
    await talk.send_input({"type": "test.own"})
    assert (await talk.receive_output(LONG))["asked"]
    talk.stop()


@pytest.mark.django_db(transaction=True)
@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_a_dispatch_of_ones_own_closes_what_is_stale_as_ours_does() -> None:
    Dispatching.dispatched.clear()
    talk = ApplicationCommunicator(Dispatching.as_asgi(), {"type": "test"})
    await database_sync_to_async(User.objects.count)()
    await talk.send_input({"type": "test.name"})
    assert "!" in (await talk.receive_output(LONG))["name"]
    assert not connections_due()
    await ended(talk)
    assert Dispatching.dispatched == ["test.name", "test.stop"]


class Room(AsyncWebsocketConsumer):
    groups = ("room",)


class DispatchingRoom(Room):
    async def dispatch(self, message: Any) -> None:
        await super().dispatch(message)


@pytest.mark.parametrize("consumer", [Room, DispatchingRoom])
@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_frames_of_a_group_reach_the_socket_with_either_dispatch(consumer: Any) -> None:
    layer: Any = get_channel_layer()
    async with serve(consumer.as_asgi()) as running:
        client = await running.connect()
        await client.upgrade(UPGRADE)
        await eventually(lambda: layer.groups.get("room"))
        await layer.group_send("room", {"type": "websocket.send", "text": "to all"})
        assert await client.message() == (1, b"to all")


class Asked:
    """A layer of somebody else's, with the four methods of the contract and nothing else."""

    def __init__(self) -> None:
        self.layer = InMemoryChannelLayer()
        self.detached: list[str] = []

    async def new_channel(self) -> str:
        return await self.layer.new_channel()

    async def receive(self, channel: str) -> Any:
        return await self.layer.receive(channel)

    async def send(self, channel: str, message: Any) -> None:
        await self.layer.send(channel, message)


class Detaching(Asked):
    def detach(self, channel: str) -> None:
        self.detached.append(channel)


@pytest.mark.parametrize("layer_class", [Asked, Detaching])
async def test_a_layer_that_is_asked(layer_class: Any) -> None:
    layer = layer_class()
    before = channel_layers.set("default", layer)
    try:
        talk = ApplicationCommunicator(Answers.as_asgi(), {"type": "test"})
        await talk.send_input({"type": "test.name"})
        name = (await talk.receive_output(LONG))["name"]
        await layer.send(name, {"type": "test.name"})
        assert (await talk.receive_output(LONG))["name"] == name
        await ended(talk)
    finally:
        channel_layers.set("default", before)
    assert layer.detached == ([name] if layer_class is Detaching else [])


async def never(channel: str) -> None:
    await asyncio.Event().wait()


async def test_a_layer_that_is_a_mock_is_left_without_a_word() -> None:
    """It has every attribute; none of its coroutines is left unawaited."""
    layer = AsyncMock()
    layer.new_channel.return_value = "mine!1"
    layer.receive.side_effect = never
    before = channel_layers.set("default", layer)
    try:
        talk = ApplicationCommunicator(Answers.as_asgi(), {"type": "test"})
        await talk.send_input({"type": "test.name"})
        assert (await talk.receive_output(LONG))["name"] == "mine!1"
        await ended(talk)
    finally:
        channel_layers.set("default", before)


async def test_a_layer_that_gives_no_channel_has_none_to_take_back() -> None:
    class Broken(Detaching):
        async def new_channel(self) -> str:
            raise ConnectionError("no backend")

    layer = Broken()
    before = channel_layers.set("default", layer)
    try:
        talk = ApplicationCommunicator(Answers.as_asgi(), {"type": "test"})
        with pytest.raises(ConnectionError):
            await talk.wait(LONG)
    finally:
        channel_layers.set("default", before)
    assert layer.detached == []


class SyncRoom(SyncConsumer):
    def websocket_connect(self, message: Any) -> None:
        self.send({"type": "websocket.accept"})
        self.send({"type": "websocket.send", "text": "hello"})


async def test_a_sync_consumer_without_a_layer() -> None:
    talk = WebsocketCommunicator(SyncRoom.as_asgi(), "/")
    assert await talk.connect(timeout=LONG) == (True, None)
    assert await talk.receive_from(LONG) == "hello"
    talk.stop()
