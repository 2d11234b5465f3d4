"""What the README of channels_redis says one can configure, configured, against a Redis of our own.

They pass with the original too, but for the consumers on its core layer: with redis-py 8 a receive that
waits longer than the client's socket timeout fails there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from channels_redis import core, pubsub
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import environment, served

LAYERS = {"core": core.RedisChannelLayer, "pubsub": pubsub.RedisPubSubChannelLayer}
BOTH = pytest.mark.parametrize("kind", LAYERS)
TIMEOUT = 20

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server."""
    folder: Path = tmp_path_factory.mktemp("redis")
    program, port = require("redis-server"), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with served(command, port, folder=folder, log=folder / "log", env=environment()):
        yield port


async def end(layer: Any) -> None:
    await layer.flush()
    if hasattr(layer, "close_pools"):
        await layer.close_pools()


async def carries(layer: Any) -> None:
    """A message to a channel and one to a group arrive, and a layer can be emptied."""
    channel = await layer.new_channel()
    receiver = asyncio.ensure_future(layer.receive(channel))
    await layer.send(channel, {"type": "direct", "number": 1, "list": [1, "ü"], "nothing": None})
    received = await asyncio.wait_for(receiver, TIMEOUT)
    assert received == {"type": "direct", "number": 1, "list": [1, "ü"], "nothing": None}
    await layer.group_add("g", channel)
    await layer.group_send("g", {"type": "group"})
    assert await asyncio.wait_for(layer.receive(channel), TIMEOUT) == {"type": "group"}
    await layer.group_discard("g", channel)
    await layer.group_send("g", {"type": "nobody"})
    await end(layer)


@BOTH
async def test_the_forms_of_hosts(kind: str, redis: int) -> None:
    for host in (
        ("127.0.0.1", redis),
        f"redis://127.0.0.1:{redis}/1",
        {"address": f"redis://127.0.0.1:{redis}/2"},
        {"host": "127.0.0.1", "port": redis, "db": 3},
    ):
        await carries(LAYERS[kind](hosts=[host]))


@BOTH
async def test_several_hosts(kind: str, redis: int) -> None:
    await carries(LAYERS[kind](hosts=[f"redis://127.0.0.1:{redis}/{db}" for db in range(3)]))


@BOTH
async def test_encryption(kind: str, redis: int) -> None:
    hosts = [("127.0.0.1", redis)]
    layer = LAYERS[kind](hosts=hosts, symmetric_encryption_keys=["new key", "old key"])
    await carries(layer)
    old = LAYERS[kind](hosts=hosts, symmetric_encryption_keys=["old key"])
    message = {"type": "secret", "word": "hidden"}
    assert b"hidden" not in old.serialize(message)
    assert layer.deserialize(old.serialize(message)) == message
    await end(old)


@BOTH
async def test_json(kind: str, redis: int) -> None:
    layer = LAYERS[kind](hosts=[("127.0.0.1", redis)], serializer_format="json")
    assert b'"type"' in layer.serialize({"type": "x"})
    await carries(layer)


@BOTH
async def test_a_prefix_keeps_layers_apart(kind: str, redis: int) -> None:
    one, two = (LAYERS[kind](hosts=[("127.0.0.1", redis)], prefix=prefix) for prefix in ("one", "two"))
    channel = await one.new_channel()
    await one.group_add("g", channel)
    await two.group_send("g", {"type": "not for one"})
    await one.group_send("g", {"type": "for one"})
    assert await asyncio.wait_for(one.receive(channel), TIMEOUT) == {"type": "for one"}
    await end(one)
    await end(two)


async def test_capacity_and_expiry(redis: int) -> None:
    layer = core.RedisChannelLayer(
        hosts=[("127.0.0.1", redis)], capacity=2, channel_capacity={"small*": 1}, expiry=30, group_expiry=60
    )
    assert (layer.expiry, layer.group_expiry, layer.capacity) == (30, 60, 2)
    for channel, capacity in (("small.one", 1), ("other", 2)):
        for _ in range(capacity):
            await layer.send(channel, {"type": "x"})
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"type": "x"})
    await end(layer)


@BOTH
def test_from_sync_code_again_and_again(kind: str, redis: int) -> None:
    layer = LAYERS[kind](hosts=[("127.0.0.1", redis)])
    for _ in range(3):
        async_to_sync(layer.group_send)("nobody", {"type": "x"})
        async_to_sync(layer.send)("somebody", {"type": "x"})
    async_to_sync(layer.flush)()


class Member(AsyncWebsocketConsumer):
    groups = ["members"]

    async def told(self, event: Any) -> None:
        await self.send(text_data=event["text"])


class SyncMember(WebsocketConsumer):
    groups = ["members"]

    def told(self, event: Any) -> None:
        self.send(text_data=event["text"])


@BOTH
async def test_as_the_layer_of_consumers(kind: str, redis: int) -> None:
    backend = f"channels_redis.{kind}.{LAYERS[kind].__name__}"
    config = {"hosts": [("127.0.0.1", redis)]}
    with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": backend, "CONFIG": config}}):
        layer = get_channel_layer()
        sockets = [WebsocketCommunicator(consumer.as_asgi(), "/") for consumer in (Member, SyncMember)]
        for communicator in sockets:
            assert (await communicator.connect(timeout=TIMEOUT))[0]
        for text in ("one", "two"):
            await layer.group_send("members", {"type": "told", "text": text})
        for communicator in sockets:
            assert await communicator.receive_from(timeout=TIMEOUT) == "one"
            assert await communicator.receive_from(timeout=TIMEOUT) == "two"
            await communicator.disconnect(timeout=TIMEOUT)
        await end(layer)


@BOTH
async def test_nobody_answers_there(kind: str) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        layer = LAYERS[kind](hosts=[("127.0.0.1", reserved.getsockname()[1])])
        with pytest.raises(Exception, match=str(reserved.getsockname()[1])):
            await asyncio.wait_for(layer.send("a", {"type": "x"}), TIMEOUT)
