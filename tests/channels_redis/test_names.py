"""The old names are there, with the signatures that code written for 4.3 calls."""

from __future__ import annotations

import inspect
import random

import pytest

import channels_redis
from channels.exceptions import InvalidMessageError
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.serializers import BaseMessageSerializer, JSONSerializer, MsgPackSerializer, registry
from tests.support.redis_servers import RedisServer

LAYERS = [RedisChannelLayer, RedisPubSubChannelLayer]


@pytest.fixture(scope="module")
def hosts():
    with RedisServer() as server:
        yield [server.address]


def test_the_version():
    assert channels_redis.__version__ == "4.3.0"


def test_the_settings_of_4_3():
    names = list(inspect.signature(RedisChannelLayer).parameters)
    assert names[:9] == [
        *("hosts", "prefix", "expiry", "group_expiry", "capacity", "channel_capacity"),
        *("symmetric_encryption_keys", "random_prefix_length", "serializer_format"),
    ]
    layer = RedisPubSubChannelLayer(
        hosts=["redis://localhost"],
        prefix="p",
        on_disconnect="redis.gone",
        on_reconnect="redis.back",
        symmetric_encryption_keys=["k"],
        serializer_format="json",
    )
    assert (layer.on_disconnect, layer.on_reconnect) == ("redis.gone", "redis.back")
    assert layer.extensions == ["groups", "flush"]


@pytest.mark.parametrize("layer_class", LAYERS)
def test_what_is_awaited_is_a_coroutine_function(layer_class):
    layer = layer_class(hosts=["redis://localhost"])
    for name in ("send", "receive", "new_channel", "group_add", "group_discard", "group_send", "flush"):
        assert inspect.iscoroutinefunction(getattr(layer, name)), name


@pytest.mark.parametrize("layer_class", LAYERS)
def test_plain_msgpack_unless_asked_otherwise(layer_class):
    layer = layer_class(hosts=["redis://localhost"])
    prefix = 12 if layer_class is RedisChannelLayer else 0
    assert layer.serialize({"type": "a"})[prefix:] == b"\x81\xa4type\xa1a"
    assert layer.deserialize(layer.serialize({"type": "a"})) == {"type": "a"}
    assert layer_class(serializer_format="json", random_prefix_length=0).serialize({"a": 1}) == b'{"a": 1}'


async def test_names_never_repeat(hosts):
    first = RedisChannelLayer(hosts=hosts)
    random.seed(1)
    names = [await first.new_channel()]
    random.seed(1)
    names.append(await first.new_channel("other"))
    assert len(set(names)) == 2
    assert names[1].startswith("other.")
    assert RedisChannelLayer(hosts=hosts).client_prefix != first.client_prefix
    await first.aclose()


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_errors_of_4_3(hosts, layer_class):
    layer = layer_class(hosts=hosts)
    if layer_class is RedisChannelLayer:  # the other takes anything
        for send in (layer.send, layer.group_send):
            with pytest.raises(InvalidMessageError, match="message is not a dict"):
                await send("x", [1])
    with pytest.raises(TypeError, match="Channel name must be a valid unicode string"):
        await layer.send("a b", {})
    with pytest.raises(TypeError, match="Group name must be a valid unicode string"):
        await layer.group_send("a b", {})
    with pytest.raises(AssertionError, match="Wrong client prefix"):
        await layer.receive("specific.abc!x")
    await layer.group_discard("g", "never-added")
    await layer.flush()


async def test_what_a_pubsub_layer_holds_can_be_looked_at(hosts):
    layer = RedisPubSubChannelLayer(hosts=hosts)
    name = await layer.new_channel()
    await layer.group_add("room", name)
    await layer.send(name, {"type": "test"})
    assert (list(layer.groups), list(layer.groups["room"])) == (["room"], [name])
    assert layer.channels[name].qsize() == 1
    await layer.group_discard("room", name)
    await layer.receive(name)
    assert layer.groups == {}
    await layer.flush()


def test_the_serializers_are_registered():
    assert isinstance(registry.get_serializer("json"), JSONSerializer)
    assert isinstance(registry.get_serializer("msgpack"), MsgPackSerializer)
    assert issubclass(JSONSerializer, BaseMessageSerializer)
