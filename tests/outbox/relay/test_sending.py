"""Which way a message takes, for each kind of layer."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from redis.asyncio import Connection

from channels.layers import channel_layers, get_channel_layer
from channels.layers.base import BaseChannelLayer
from channels.layers.memory import InMemoryChannelLayer
from channels.outbox import durable
from channels.outbox.relay.relay import Relay
from tests.outbox.tools import is_empty, until
from tests.support.databases import Database
from tests.support.redis_servers import RedisServer

MESSAGE = {"type": "said", "raw": b"\0\xff", "numbers": (1, 2)}


class Own(Connection):
    """Connections that sync code cannot use."""


class Tagging(InMemoryChannelLayer):
    """A project's layer that does something of its own to each message."""

    sync = "theirs"  # type: ignore[assignment]

    async def group_send(self, group: str, message: Any) -> None:
        await super().group_send(group, {**message, "tagged": True})


class Foreign(BaseChannelLayer):
    """A layer of somebody else's: async only, on a layer of ours for its messages."""

    extensions = ["groups"]

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemoryChannelLayer()
        self.new_channel, self.receive = self.inner.new_channel, self.inner.receive
        self.group_add, self.send = self.inner.group_add, self.inner.send

    async def group_send(self, group: str, message: Any) -> None:
        await asyncio.sleep(0)
        await self.inner.group_send(group, message)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": ("channels.layers.InMemoryChannelLayer", {}),
    "host": ("channels.layers.host.HostChannelLayer", {"path": "FOLDER"}),
    "Redis": ("channels_redis.core.RedisChannelLayer", {"hosts": ["REDIS"]}),
    "publish/subscribe": ("channels_redis.pubsub.RedisPubSubChannelLayer", {"hosts": ["REDIS"]}),
    "Redis, for async code only": (
        "channels_redis.core.RedisChannelLayer",
        {"hosts": [{"connection_class": Own}]},
    ),
    "of a project": (f"{__name__}.Tagging", {}),
    "of somebody else": (f"{__name__}.Foreign", {}),
}


def hosts(value: list[Any], url: str) -> list[Any]:
    return [{**host, "address": url} if isinstance(host, dict) else url for host in value]


@pytest.mark.parametrize("name", LAYERS)
async def test_a_message_reaches_a_group_and_a_channel(
    name: str, redis: RedisServer, sqlite: Database
) -> None:
    backend, config = LAYERS[name]
    folder = tempfile.mkdtemp(prefix="fwo")
    options = {key: folder if key == "path" else hosts(value, redis.url) for key, value in config.items()}
    layers = {"default": {"BACKEND": backend, "CONFIG": options}}
    with sqlite.as_default(), override_settings(CHANNEL_LAYERS=layers):
        await asyncio.to_thread(call_command, "migrate", "channels_outbox", verbosity=0)
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        relay = Relay("default")
        relay.start()
        await durable().agroup_send("room", MESSAGE)
        await durable().asend(channel, MESSAGE)
        tagged = {"tagged": True} if name == "of a project" else {}
        assert await asyncio.wait_for(layer.receive(channel), 20) == {**MESSAGE, **tagged}
        assert await asyncio.wait_for(layer.receive(channel), 20) == MESSAGE
        await asyncio.to_thread(until, is_empty)
        await asyncio.to_thread(relay.stop, 5)
        if hasattr(layer, "aclose"):
            await layer.aclose()
    channel_layers.backends.clear()
    shutil.rmtree(folder, ignore_errors=True)
