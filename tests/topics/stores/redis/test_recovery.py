"""Clients over WebSocket, topics in Redis, and Redis in trouble: each has the whole sequence, or is told."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import tests.topics.topics_for_tests  # noqa: F401  # the topics exist
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.testing.store_contract.tools import append
from channels.topics import websocket_urlpatterns
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.redis import RedisStore
from tests.topics.raw_client import raw_client

PATIENCE = 40.0
TOPIC = "room:recovery"


@pytest.fixture
def port(settings: Any, own_server: Any) -> Any:
    """The port of a server whose topics are in a Redis of its own."""
    backend = "channels.topics.stores.redis.RedisStore"
    stores = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [own_server.url]}}}
    settings.CHANNELS_TOPICS = {"STORES": stores}
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield server.port


class Follower:
    """A client that subscribes again when it is told to, and notes what it got.

    Attributes:
        data: of all publications, in the order in which they came.
        unrecovered: how often it was told that something is lost.
        offsets: of the publications since it last subscribed without recovering.
    """

    def __init__(self) -> None:
        self.data: list[Any] = []
        self.offsets: list[int] = []
        self.unrecovered = 0

    async def follow(self, port: int, last: Any, ready: asyncio.Event) -> None:
        async with raw_client(port) as client:
            await client.connect()
            request: dict[str, Any] = {"channel": TOPIC, "recoverable": True}
            while last not in self.data:
                result = (await client.ask(subscribe=request)).get("subscribe")
                if result is None:  # Redis is away: error 100, temporary
                    await asyncio.sleep(0.05)
                    continue
                self._take_result(result)
                ready.set()
                await self._until_unsubscribed(client, last)
                request |= {"recover": True, "offset": self.position, "epoch": self.epoch}

    def _take_result(self, result: dict[str, Any]) -> None:
        if result.get("was_recovering") and not result.get("recovered"):
            self.unrecovered += 1
        if not result.get("recovered"):
            self.position, self.epoch = result.get("offset", 0), result["epoch"]
        for publication in result.get("publications", ()):
            self._take(publication)

    async def _until_unsubscribed(self, client: Any, last: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while last not in self.data[-1:]:
                push = (await client.next()).get("push", {})
                if "pub" in push:
                    self._take(push["pub"])
                if "unsubscribe" in push:
                    assert push["unsubscribe"]["code"] == 2500
                    return

    def _take(self, publication: dict[str, Any]) -> None:
        assert publication["offset"] == self.position + 1, "A publication is missing, or came twice."
        self.position = publication["offset"]
        self.data.append(publication["data"])


def publish_in_a_thread(server: Any, amount: int, trouble: Any) -> threading.Thread:
    """Publish 0, 1, 2 ... as another process does; ``trouble(n)`` is called before each."""

    def run() -> None:
        store = RedisStore([server.address])
        for n in range(amount):
            trouble(n)
            for _ in range(2000):
                try:
                    store.sync.publish(append(TOPIC, n, idempotency_key=str(n)))
                    break
                except StoreUnavailable:
                    threading.Event().wait(0.02)
        store.sync.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


async def followers(port: int, last: Any, amount: int) -> tuple[list[Follower], list[asyncio.Task[None]]]:
    """Start clients; returns when all are subscribed."""
    found, tasks, ready = [], [], []
    for _ in range(amount):
        found.append(Follower())
        ready.append(asyncio.Event())
        tasks.append(asyncio.create_task(found[-1].follow(port, last, ready[-1])))
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(each.wait() for each in ready))
    return found, tasks


async def test_subscriptions_that_are_cut_again_and_again_lose_nothing(port: int, own_server: Any) -> None:
    """What was missed is read from the stream, by the server: clients notice nothing."""
    amount = 3000
    found, tasks = await followers(port, amount - 1, 20)

    def trouble(n: int) -> None:
        if n % 150 == 75:
            own_server.ask("CLIENT", "KILL", "TYPE", "pubsub")

    thread = publish_in_a_thread(own_server, amount, trouble)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)
    await asyncio.to_thread(thread.join)
    for follower in found:
        assert follower.data == [*range(amount)]
        assert follower.unrecovered == 0


@pytest.mark.parametrize("saved", [True, False], ids=["with its data", "without data"])
async def test_a_redis_that_is_killed_loses_nothing_silently(port: int, own_server: Any, saved: bool) -> None:
    """Clients are told that they cannot recover, and go on from there, in order."""
    amount = 300
    found, tasks = await followers(port, "last", 5)

    def trouble(n: int) -> None:
        if n == 100:
            if saved:
                own_server.ask("SAVE")
            own_server.kill()
            own_server.start()

    thread = publish_in_a_thread(own_server, amount, trouble)
    await asyncio.to_thread(thread.join)
    store = RedisStore([own_server.address])
    async with asyncio.timeout(PATIENCE):
        while not all(task.done() for task in tasks):  # one that subscribes later has lost it, and knows
            await store.publish(append(TOPIC, "last"))
            await asyncio.wait(tasks, timeout=0.1)
        await asyncio.gather(*tasks)
    await store.aclose()
    for follower in found:
        assert follower.unrecovered == 1
        numbers = [each for each in follower.data if each != "last"]
        assert numbers == sorted(set(numbers))
        assert numbers[0] == 0
