"""What nodes are told while Redis is away from them, or from who tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import tests.topics.topics_for_tests  # noqa: F401  # the topics exist
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import Topic, adisconnect, websocket_urlpatterns
from channels.topics.control import CONTROL_TOPIC, EmulatedFrame, Recheck, abroadcast
from channels.topics.registry import resolve, unregister
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.redis import RedisStore
from tests.support.redis_servers import RedisServer
from tests.topics.raw_client import raw_client
from tests.topics.stores.redis.conftest import own_server  # noqa: F401  # a fixture

PATIENCE = 30.0


@pytest.fixture
def anything() -> Iterator[type[Topic]]:
    """A class of topics whose pattern fits every name."""

    class Anything(Topic):
        pattern = "<path:name>"
        allowed = True

        async def may_subscribe(self, user: Any) -> bool:
            return self.allowed

    yield Anything
    unregister(Anything)


@pytest.fixture
def port(settings: Any, own_server: RedisServer) -> Any:  # noqa: F811  # the fixture
    """The port of a server whose topics are in a Redis of its own."""
    config = {"hosts": [own_server.url]}
    stores = {"default": {"BACKEND": "channels.topics.stores.redis.RedisStore", "CONFIG": config}}
    settings.CHANNELS_TOPICS = {"STORES": stores}
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield server.port


async def closing(client: Any) -> tuple[int, str]:
    async with asyncio.timeout(PATIENCE):
        await client.socket.wait_closed()
    return client.socket.close_code, client.socket.close_reason


async def test_who_is_cut_off_hears_afterwards_what_was_said(
    port: int,
    own_server: RedisServer,  # noqa: F811  # the fixture
) -> None:
    """Its subscriptions are cut again and again, while somebody is disconnected: no message is missed."""
    async with raw_client(port) as client:
        await client.connect()
        for _ in range(20):
            own_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await abroadcast(Recheck("nowhere"))
        own_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await adisconnect("", code=4500, reason="enough")
        assert await closing(client) == (4500, "enough")


async def test_who_tells_while_redis_is_away_is_told(port: int, own_server: RedisServer) -> None:  # noqa: F811
    async with raw_client(port) as client:
        await client.connect()
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await adisconnect("", code=4500)
        own_server.start()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await adisconnect("", code=4501)
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.02)
        assert (await closing(client))[0] == 4501


async def test_a_stream_of_control_that_is_lost_leads_to_checks(
    port: int,
    own_server: RedisServer,  # noqa: F811  # the fixture
    anything: Any,
) -> None:
    """Redis has lost it: whoever may not have a topic any more is found at once, not by the next check."""
    async with raw_client(port) as client:
        await client.connect()
        assert "subscribe" in await client.ask(subscribe={"channel": "x/y"})
        anything.allowed = False
        own_server.kill()
        own_server.start()
        async with asyncio.timeout(PATIENCE):
            while (await client.next()).get("push", {}).get("unsubscribe", {}).get("code") != 2000:
                pass


@pytest.mark.usefixtures("anything")
async def test_no_client_gets_at_what_nodes_are_told(port: int) -> None:
    assert resolve("x/y") is not None
    assert resolve(CONTROL_TOPIC) is None
    async with raw_client(port) as client:
        await client.connect()
        for name in (CONTROL_TOPIC, "channels.topics/occupied:x/y"):
            assert (await client.ask(subscribe={"channel": name}))["error"]["code"] == 102
            assert (await client.ask(publish={"channel": name, "data": 1}))["error"]["code"] == 102
            assert (await client.ask(history={"channel": name}))["error"]["code"] == 102


async def test_frames_of_clients_are_not_kept(port: int, own_server: RedisServer) -> None:  # noqa: F811
    store = RedisStore([own_server.address])
    before = await store.read(CONTROL_TOPIC)
    await abroadcast(EmulatedFrame("node", "session", b"frame"))
    assert await store.read(CONTROL_TOPIC) == before
    await abroadcast(Recheck())
    assert (await store.read(CONTROL_TOPIC)).position.offset == before.position.offset + 1
    await store.aclose()
