"""Two processes under different prefixes are deaf to each other: the one that sends to a group is told."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
import redis

from channels.layers.redis import other_prefixes
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels.layers.redis.wire.keys import KeySpace
from tests.layers.redis.tools import closing

MESSAGE = {"type": "chat.message"}


def layer_of(server, prefix, layer_class=RedisChannelLayer):
    return layer_class([server.url], prefix=prefix)


def told(caplog):
    return [each.getMessage() for each in caplog.records if "has reached nobody" in each.getMessage()]


async def sends_to_an_empty_group(layer, group):
    await layer.group_send(group, MESSAGE)


async def sends_from_a_thread(layer, group):
    await asyncio.to_thread(layer.sync.group_send, group, MESSAGE)


@pytest.mark.parametrize("sends", [sends_to_an_empty_group, sends_from_a_thread])
@pytest.mark.parametrize(
    ("prefix", "layer_class", "name"),
    [
        ("shop", RedisChannelLayer, "shop:group:told"),
        ("web", RedisPubSubChannelLayer, "web:pubsub-group:told"),
    ],
)
async def test_who_sends_to_members_elsewhere_is_told_once(
    own_server, caplog, sends, prefix, layer_class, name
):
    sender, other = layer_of(own_server, "web"), layer_of(own_server, prefix, layer_class)
    async with closing(sender, other):
        await other.group_add("told", await other.new_channel())
        for _ in range(2):
            await sends(sender, "told")
        (line,) = told(caplog)
        assert "web:group:told" in line
        assert name in line
        assert "`prefix`" in line
    sender.sync.close()


async def test_a_group_that_is_empty_everywhere_or_has_members_here_is_no_mistake(own_server, caplog):
    sender, other = layer_of(own_server, "web"), layer_of(own_server, "shop")
    async with closing(sender, other):
        for group in ("mine", "other-mine"):
            await sender.group_add(group, await sender.new_channel())
        await other.group_add("mine", await other.new_channel())
        await other.group_add("not-empty", await other.new_channel())
        for group in ("mine", "empty"):
            await sender.group_send(group, MESSAGE)
        assert told(caplog) == []


def test_redis_is_asked_seldom(monkeypatch):
    clock = iter([0.0, 1.0, other_prefixes.FIRST_PAUSE, 15.0, 3 * other_prefixes.FIRST_PAUSE])
    monkeypatch.setattr(other_prefixes, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    others = other_prefixes.OtherPrefixes(KeySpace("web"))
    assert [others.due() for _ in range(5)] == [True, False, True, False, True]


async def test_who_may_not_ask_sends_all_the_same(own_server, caplog):
    rights = ("+@all", "-pubsub|channels", "~*", "&*", ">secret", "on")
    with redis.Redis(port=own_server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "limited", *rights)
    limited = RedisChannelLayer([f"redis://limited:secret@127.0.0.1:{own_server.port}"], prefix="web")
    other = layer_of(own_server, "shop")
    async with closing(limited, other):
        await other.group_add("told", await other.new_channel())
        await sends_to_an_empty_group(limited, "told")
        await sends_from_a_thread(limited, "told")
        assert told(caplog) == []
        assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    limited.sync.close()
