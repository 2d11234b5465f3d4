"""Subclasses of layers and serializers may use every name that the originals do not have.

``layer_names.json`` has the names of the originals (channels 4.3.2, channels_redis 4.3.0): those of ``dir()``
of each class and of ``vars()`` of an instance.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from channels.consumer import SyncConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, channel_layers
from channels.layers.host import HostChannelLayer
from channels.testing import WebsocketCommunicator
from channels.worker import Worker
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.serializers import JSONSerializer, MsgPackSerializer, registry
from tests.support.redis_servers import RedisServer

ORIGINALS = json.loads((Path(__file__).parent / "layer_names.json").read_text())
LAYERS = [InMemoryChannelLayer, HostChannelLayer, RedisChannelLayer, RedisPubSubChannelLayer]
#: The settings of a layer that has no original, under the names of its documentation.
SETTINGS = {"HostChannelLayer": {"path", "project", "max_backlog", "timeout"}}
PATIENCE = 20.0
#: A pubsub layer of 4.3 passes on whatever name its inner layer has: that one's names are its own.
INNER = {
    "RedisPubSubChannelLayer": ("BaseChannelLayer", "RedisChannelLayer"),
    "HostChannelLayer": ("BaseChannelLayer", "InMemoryChannelLayer"),
}


def names_of(cls: type, instance: Any) -> list[str]:
    """The names of ours that the original lacks."""
    own = {name for name in {*dir(cls), *vars(instance)} if name.isidentifier() and not name.startswith("__")}
    names = (cls.__name__, *INNER.get(cls.__name__, ()))
    return sorted(own.difference(*(ORIGINALS.get(name, ()) for name in names)))


def method(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a method that the project has for itself was called")


def with_methods(cls: type, names: list[str]) -> type:
    return type(cls.__name__, (cls,), dict.fromkeys(names, method))


def with_attributes(cls: type, names: list[str]) -> type:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super(made, self).__init__(*args, **kwargs)
        for name in names:
            setattr(self, name, object())

    made: Any = type(cls.__name__, (cls,), {"__init__": __init__})
    return made


def with_attributes_before(cls: type, names: list[str]) -> type:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in names:
            setattr(self, name, object())
        super(made, self).__init__(*args, **kwargs)

    made: Any = type(cls.__name__, (cls,), {"__init__": __init__})
    return made


WAYS = [with_methods, with_attributes, with_attributes_before]


@pytest.fixture(scope="module")
def redis() -> Any:
    with RedisServer() as server:
        yield server


def make(cls: Any, redis: RedisServer, **config: Any) -> Any:
    if issubclass(cls, InMemoryChannelLayer):
        return cls(**config)
    if issubclass(cls, HostChannelLayer):
        return cls(project=uuid.uuid4().hex, **config)
    return cls(hosts=[redis.url], prefix=uuid.uuid4().hex, **config)  # whoever was closed may be heard of yet


class Told(AsyncWebsocketConsumer):
    groups = ["room"]

    async def told(self, event: Any) -> None:
        await self.send(text_data=event["text"])


async def use(layer: Any) -> None:
    """Everything that the originals' layers can do."""
    name = await layer.new_channel()
    await layer.group_add("g", name)
    await layer.group_send("g", {"type": "m", "n": 1})
    await layer.send(name, {"type": "m", "n": 2})
    # Over Redis a group's message and one for this process' own channel go different ways.
    assert {(await asyncio.wait_for(layer.receive(name), PATIENCE))["n"] for _ in range(2)} == {1, 2}
    await layer.group_discard("g", name)
    await layer.send("jobs", {"type": "m", "n": 3})
    assert (await asyncio.wait_for(layer.receive("jobs"), PATIENCE))["n"] == 3
    await _serve_a_socket(layer)
    await _work(layer)
    repr(layer)
    await layer.flush()


async def _serve_a_socket(layer: Any) -> None:
    before = channel_layers.set("default", layer)
    try:
        socket = WebsocketCommunicator(Told.as_asgi(), "/")
        assert (await socket.connect(timeout=PATIENCE))[0]
        await layer.group_send("room", {"type": "told", "text": "hello"})
        assert await socket.receive_from(timeout=PATIENCE) == "hello"
        await socket.disconnect(timeout=PATIENCE)
    finally:
        channel_layers.set("default", before)


async def _work(layer: Any) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Job(SyncConsumer):
        def job(self, message: Any) -> None:
            loop.call_soon_threadsafe(done.set)

    worker = Worker(Job.as_asgi(), ["work"], layer)
    task = asyncio.ensure_future(worker.handle())
    await layer.send("work", {"type": "job"})
    await asyncio.wait_for(done.wait(), PATIENCE)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.django_db(transaction=True)
@override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
async def test_a_layer_that_uses_all_our_names(cls: type, way: Any, redis: RedisServer) -> None:
    plain = make(cls, redis)
    await use(plain)
    names = names_of(cls, plain)
    assert "attach" in names and "statistics" in names
    layer = make(way(cls, names), redis, expiry=30, capacity=50)
    await use(layer)
    await cls.aclose(layer)  # type: ignore[attr-defined]
    await plain.aclose()


@pytest.mark.parametrize("cls", LAYERS)
async def test_layers_have_no_machinery_under_a_name(cls: type, redis: RedisServer) -> None:
    """What is public beside the originals is what the documentation has; nothing has an underscore."""
    layer = make(cls, redis)
    await layer.send("jobs", {"type": "m"})
    assert [name for name in names_of(cls, layer) if name.startswith("_")] == []
    assert {name for name in vars(layer) if name.isidentifier()} <= set(ORIGINALS.get(cls.__name__, ())) | {
        *ORIGINALS["RedisChannelLayer"],
        "sync",
        *SETTINGS.get(cls.__name__, ()),
    }
    await layer.flush()


@pytest.mark.parametrize("way", WAYS)
def test_the_base_class(way: Any) -> None:
    names = names_of(BaseChannelLayer, BaseChannelLayer())
    layer = way(BaseChannelLayer, names)(expiry=1, capacity=7, channel_capacity={"a*": 3})
    assert (layer.get_capacity("ab"), layer.get_capacity("b")) == (3, 7)
    assert layer.require_valid_group_name("g")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cls", [MsgPackSerializer, JSONSerializer])
def test_serializers(cls: type, way: Any, redis: RedisServer) -> None:
    names = names_of(cls, cls(symmetric_encryption_keys=["k"], random_prefix_length=3))
    serializer = way(cls, names)(symmetric_encryption_keys=["k"], random_prefix_length=3)
    message = {"type": "m", "nested": [{"a": 1}]}
    assert serializer.deserialize(serializer.serialize(message)) == message


async def test_a_serializer_with_names_of_its_own_in_a_layer(redis: RedisServer) -> None:
    registry.register_serializer("own-names", with_methods(MsgPackSerializer, ["checked", "_encode", "seal"]))
    layer = RedisChannelLayer(
        hosts=[redis.url], serializer_format="own-names", symmetric_encryption_keys=["k"]
    )
    await layer.send("jobs", {"type": "m"})
    assert await asyncio.wait_for(layer.receive("jobs"), PATIENCE) == {"type": "m"}
    await layer.flush()


async def test_what_a_subclass_makes_of_original_names_is_used(redis: RedisServer) -> None:
    class Own(RedisChannelLayer):
        def serialize(self, message: Any) -> bytes:
            return b"<" + super().serialize(message)

        def deserialize(self, message: bytes) -> Any:
            assert message.startswith(b"<")
            return super().deserialize(message[1:])

        def get_capacity(self, channel: str) -> int:
            return 1

    layer = Own(hosts=[redis.url], prefix="own")
    await layer.send("jobs", {"type": "m"})
    with pytest.raises(Exception, match="capacity of 1"):
        await layer.send("jobs", {"type": "m"})
    assert await asyncio.wait_for(layer.receive("jobs"), PATIENCE) == {"type": "m"}
    await layer.flush()
