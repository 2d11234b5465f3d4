"""What changes about users while Redis is away is told when it is back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.access.announcements import Change
from channels.testing.store_contract.tools import Recorder
from channels.topics.access import resending
from channels.topics.access.resending import Resender
from channels.topics.apps import tell_nodes
from channels.topics.control import CONTROL_TOPIC, AccessChanged, decode_control
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.manager import get_store
from tests.support.redis_servers import RedisServer
from tests.topics.stores.redis.conftest import own_server  # noqa: F401  # a fixture

PATIENCE = 30.0


@pytest.fixture
def hosts(settings: Any, own_server: RedisServer) -> RedisServer:  # noqa: F811  # the fixture
    """A Redis that has the topics."""
    stores = {"BACKEND": "channels.topics.stores.redis.RedisStore", "CONFIG": {"hosts": [own_server.url]}}
    settings.CHANNELS_TOPICS = {"STORES": {"default": stores}}
    return own_server


async def test_what_was_said_while_redis_was_away_arrives_when_it_is_back(hosts: RedisServer) -> None:
    store, recorder = get_store(), Recorder()
    store.attach(recorder)
    await store.subscribe(CONTROL_TOPIC, recorder)
    hosts.kill()
    for user in "123":
        await asyncio.to_thread(tell_nodes, Change(user=user))
    hosts.start()
    async with asyncio.timeout(PATIENCE):
        while (await _read(store)) != list("123"):
            await asyncio.sleep(0.05)
    store.sync.close()
    await store.aclose()


async def _read(store: Any) -> list[str]:
    try:
        page = await store.read(CONTROL_TOPIC)
    except StoreUnavailable:
        return []
    found = [decode_control(bytes(each.data)) for each in page.publications]
    return [each.user for each in found if isinstance(each, AccessChanged)]


class Away:
    """A store that does not answer until it is told to."""

    def __init__(self) -> None:
        self.sent: list[AccessChanged] = []
        self.answers = False

    def send(self, message: AccessChanged) -> None:
        if not self.answers:
            raise StoreUnavailable("away")
        self.sent.append(message)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(resending, "LONGEST_WAIT", 0.01)


async def until_sent(away: Away, amount: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(away.sent) < amount:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("soon")
async def test_too_many_become_one_that_is_about_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "LIMIT", 3)
    away = Away()
    resender = Resender(away.send)
    for number in range(5):
        resender.send(AccessChanged(user=str(number)))
    away.answers = True
    await until_sent(away, 2)
    assert away.sent == [AccessChanged(permissions=True), AccessChanged(user="4")]


@pytest.mark.usefixtures("soon")
async def test_what_has_waited_for_too_long_is_given_up_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = telemetry.counters["topics.announcement_lost"]
    away = Away()
    resender = Resender(away.send)
    monkeypatch.setattr(resending, "GIVE_UP", -1.0)
    resender.send(AccessChanged(user="old"))
    async with asyncio.timeout(PATIENCE):
        while telemetry.counters["topics.announcement_lost"] == before:
            await asyncio.sleep(0.01)
    away.answers = True
    resender.send(AccessChanged(user="new"))
    assert away.sent == [AccessChanged(user="new")]
