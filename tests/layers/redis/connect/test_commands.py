"""Commands of a loop: to the right server, again where that is right, and to nobody for only so long."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, NoScriptError

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.connect.commands import BACKOFF_FIRST, BACKOFF_MOST, Commands, Policy, backoff
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.connect.topology import servers_at
from channels.layers.redis.hosts.addresses import parse_entry
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sent import SentMessages
from channels.layers.redis.wire.sequencing import SequenceNumbers
from tests.layers.redis.tools import PATIENCE, until
from tests.support.ports import free_port

RAISE = Policy()
TOPIC = Topic(b"commands:topic", "group", "commands")


@contextlib.asynccontextmanager
async def commands_for(
    *entries: Any,
    policy: Policy = RAISE,
    sent: SentMessages | None = None,
) -> AsyncIterator[Any]:
    shards = [servers_at(parse_entry(entry, "hosts[0]")) for entry in entries]
    kept = SentMessages(0, 0) if sent is None else sent
    commands = Commands(shards, policy, EnvelopeCipher(), lambda: None, SequenceNumbers(), kept)
    try:
        yield commands
    finally:
        await commands.aclose()


def test_waits_grow_to_a_bound_and_are_never_twice_the_same():
    waits = list(itertools.islice(backoff(), 50))
    assert BACKOFF_FIRST / 2 <= waits[0] <= BACKOFF_FIRST
    assert all(BACKOFF_MOST / 2 <= wait <= BACKOFF_MOST for wait in waits[10:])
    assert len(set(waits)) == len(waits)


def test_a_policy_that_is_none():
    with pytest.raises(InvalidChannelLayerError, match="got 'hope'"):
        Policy("hope")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["server", "sentinels", "cluster"])
async def test_a_message_reaches_whoever_subscribes(request, kind):
    sent = SentMessages(60, 10_000)
    async with commands_for(request.getfixturevalue(kind).url, sent=sent) as commands:
        assert await commands.publish(TOPIC, "", b"body") == 0  # nobody does
        assert await commands.publish_signal(TOPIC, b"signal") == 0
        await commands.reach(TOPIC)
        await commands.mark(TOPIC, commands.numbers)
    assert len(sent) == 1


async def test_a_connection_that_was_cut_is_made_again(own_server):
    async with commands_for(own_server.url) as commands:
        await commands.publish(TOPIC, "", b"one")
        own_server.cut()
        await until(lambda: not commands._connections)
        assert await commands.publish(TOPIC, "", b"two") == 0


async def test_all_who_ask_at_once_share_a_connection(own_server):
    async with commands_for(own_server.url) as commands:
        await asyncio.gather(*[commands.publish(TOPIC, "", b"%d" % number) for number in range(10)])
        assert len(commands._connections) == 1


async def test_nobody_is_there_and_nobody_waits():
    async with commands_for(f"redis://127.0.0.1:{free_port()}") as commands:
        for call in (commands.publish(TOPIC, "", b"body"), commands.reach(TOPIC)):
            with pytest.raises(RedisUnavailable):
                await call


async def test_who_waits_is_served_when_the_server_is_back_and_only_so_long(own_server):
    policy = Policy("wait", unavailable_timeout=PATIENCE)
    async with commands_for(own_server.url, policy=policy) as commands:
        own_server.kill()
        publishing = asyncio.ensure_future(commands.publish(TOPIC, "", b"body"))
        await asyncio.sleep(0.1)
        assert not publishing.done()
        own_server.start()
        assert await asyncio.wait_for(publishing, PATIENCE) == 0
    impatient = Policy("wait", unavailable_timeout=0.2)
    async with commands_for(f"redis://127.0.0.1:{free_port()}", policy=impatient) as commands:
        with pytest.raises(RedisUnavailable):
            await asyncio.wait_for(commands.publish(TOPIC, "", b"body"), PATIENCE)


async def test_a_redirection_is_followed(cluster):
    async with commands_for(cluster.url) as commands:
        (servers,) = commands._shards
        slot = key_slot(TOPIC.key)
        right = await servers.locate(TOPIC.key)
        wrong = next(server.address for server in cluster.servers if server.address != right)
        servers.moved(MovedError(f"{slot} {wrong[0]}:{wrong[1]}"))
        assert await commands.publish(TOPIC, "", b"body") == 0
        assert await servers.locate(TOPIC.key) == right


async def test_of_an_errors_advice_some_is_for_once(cluster):
    async with commands_for(cluster.url) as commands:
        asked = await commands._redirected(0, AskError(f"{key_slot(TOPIC.key)} 127.0.0.1:7"), 0)
        assert asked == ("127.0.0.1", 7)


async def test_an_answer_that_is_an_error_is_no_reason_to_ask_again(own_server):
    async with commands_for(own_server.url) as commands:
        key = "commands:text"
        assert await commands.execute("n", key, lambda _: ("SET", key, "text")) == b"OK"
        with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
            await commands.execute("n", key.encode(), lambda _: ("LPUSH", key, "item"))
        with pytest.raises(NoScriptError):  # whoever runs scripts loads it
            await commands.execute("n", key, lambda _: ("EVALSHA", "0" * 40, 0))


async def test_what_was_written_without_a_reply_is_written_only_as_often_as_may_be(own_server):
    entry = {"host": "127.0.0.1", "port": own_server.port, "socket_timeout": 0.2}
    async with commands_for(entry) as commands:
        assert await commands.publish(TOPIC, "", b"body") == 0
        own_server.pause()
        try:
            with pytest.raises(RedisUnavailable):
                await commands.execute("n", "key", lambda _: ("PING",))
        finally:
            own_server.resume()


async def test_a_cluster_that_sends_one_in_circles_is_given_up(cluster, monkeypatch):
    async with commands_for(cluster.url) as commands:
        (servers,) = commands._shards
        right = await servers.locate(TOPIC.key)
        wrong = next(server.address for server in cluster.servers if server.address != right)
        servers.moved(MovedError(f"{key_slot(TOPIC.key)} {wrong[0]}:{wrong[1]}"))
        monkeypatch.setattr(servers, "moved", lambda error=None: None)
        with pytest.raises(RedisUnavailable):
            await commands.publish(TOPIC, "", b"body")


async def test_a_slot_that_moves_is_asked_for_once_where_it_goes(cluster):
    async with commands_for(cluster.url) as commands:
        (servers,) = commands._shards
        place = await servers.locate(TOPIC.key)
        assert await commands._once(0, TOPIC.key, lambda _: ("GET", TOPIC.key), place) is None
