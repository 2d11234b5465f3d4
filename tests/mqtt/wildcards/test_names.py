"""A filter with wildcards brings each publication of a topic of which nobody had heard: all, and once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from django.urls import path

from channels.mqtt.application import MQTTBroker
from channels.protocols.mqtt.packets import V5, Connect, PingReq, PingResp, PubAck
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.topics.stores.host import HostStore
from channels.topics.stores.manager import get_store, set_store
from channels.topics.stores.redis import RedisStore
from tests.mqtt.client import ENDPOINT, Device, Fleet, broker
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceLog
from tests.server.helpers import LONG
from tests.support.redis_servers import RedisServer

ROOT = Path(__file__).parents[3]
BURST = [b"%d" % number for number in range(5)]
kinds = pytest.mark.parametrize("topic", [DeviceBytes(id="9"), DeviceLog(id="9")], ids=["plain", "history"])


@contextlib.asynccontextmanager
async def elsewhere(*clients: str) -> AsyncIterator[list[Device]]:
    """Serve in another event loop, with its own router, and connect to it."""
    router = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker())])})
    thread = ServerThread.of(Config(app=router, endpoints=ENDPOINT[:1], lifespan="off"), "127.0.0.1")
    await asyncio.to_thread(thread.start)
    devices = []
    try:
        for client in clients:
            devices.append(Device(*await asyncio.open_connection("127.0.0.1", thread.port), V5))
            assert (await Fleet.tried(devices[-1], Connect(client))).reason == 0
        yield devices
    finally:
        for device in devices:
            await device.leave()
        await asyncio.to_thread(thread.stop)


async def payloads(device: Device, amount: int) -> list[bytes]:
    """Return what a device gets; nothing more has come by the answer to its ping."""
    found = []
    while len(found) < amount:
        packet = await device.receive()
        await device.send(PubAck(packet.packet_id))
        found.append(packet.payload)
    await device.send(PingReq())
    assert await device.receive() == PingResp()
    return found


@kinds
async def test_all_that_async_code_publishes_at_once_comes(topic: DeviceBytes) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.subscribe("devices/#", 1)
        for payload in BURST:
            await topic.apublish(payload)
        assert await payloads(device, len(BURST)) == BURST


@kinds
async def test_all_that_sync_code_publishes_in_a_thread_comes(topic: DeviceBytes) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.subscribe(f"devices/+/{topic.pattern.rpartition('/')[2]}", 1)
        await asyncio.to_thread(lambda: [topic.publish(payload) for payload in BURST])
        assert await payloads(device, len(BURST)) == BURST


@kinds
async def test_all_that_is_published_in_another_loop_comes(topic: DeviceBytes) -> None:
    async with broker() as fleet, elsewhere("there", "writer") as (there, writer):
        here = await fleet.connect("here")
        for device in (here, there):
            await device.subscribe("devices/+/+", 1)
        await writer.publish("devices/8/bytes", b"first")
        assert [await payloads(device, 1) for device in (here, there)] == [[b"first"]] * 2
        for payload in BURST:
            await topic.apublish(payload)
        assert [await payloads(device, len(BURST)) for device in (here, there)] == [BURST, BURST]


async def test_who_begins_later_knows_the_names_that_were_told_before() -> None:
    async with broker() as fleet:
        early = await fleet.connect("early")
        await early.subscribe("devices/+/bytes1", 1)
        await DeviceLog(id="9").apublish(b"before")
        assert await payloads(early, 1) == [b"before"]
        async with elsewhere("late") as (late,):
            await late.subscribe("devices/+/bytes1", 1)
            await DeviceLog(id="9").apublish(b"after")
            assert [await payloads(device, 1) for device in (early, late)] == [[b"after"]] * 2


async def test_what_is_retained_comes_from_a_process_where_nobody_had_wildcards() -> None:
    async with broker() as fleet:
        writer = await fleet.connect("writer")
        await writer.publish("kept/1", b"kept")
        async with elsewhere("reader") as (reader,):
            await reader.subscribe("kept/+", 1)
            assert await payloads(reader, 1) == [b"kept"]


async def test_a_client_with_the_name_and_one_with_wildcards_get_it_once() -> None:
    async with broker() as fleet:
        exact, wild = await fleet.connect("exact"), await fleet.connect("wild")
        await exact.subscribe("devices/9/bytes", 1)
        await wild.subscribe("devices/#", 1)
        later = await fleet.connect("later")
        await later.subscribe("devices/8/bytes", 1)
        for identifier, device in (("9", exact), ("8", later)):
            await DeviceBytes(id=identifier).apublish(b"1")
            assert [await payloads(each, 1) for each in (device, wild)] == [[b"1"]] * 2


#: What a shell or a task does: it serves nobody.
PUBLISH = """
import django
django.setup()
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceLog
for number in range(5):
    for topic in (DeviceBytes, DeviceLog):
        topic(id="9").publish(b"%d" % number)
"""


@contextlib.contextmanager
def shared_store(kind: str, directory: Path) -> Iterator[dict[str, str]]:
    """Use a store that processes share; yields what others need to know of it."""
    with contextlib.ExitStack() as stack:
        if kind == "host":
            set_store("default", HostStore(path=directory))
            yield {"TOPICS_PATH": str(directory)}
        else:
            server = stack.enter_context(RedisServer())
            set_store("default", RedisStore([server.url]))
            yield {"TOPICS_REDIS": server.url}


@pytest.mark.parametrize("kind", ["host", "redis"])
async def test_all_that_a_process_without_clients_publishes_comes(kind: str, tmp_path: Path) -> None:
    with shared_store(kind, tmp_path) as where:
        async with broker() as fleet:
            plain, kept = await fleet.connect("plain"), await fleet.connect("kept")
            await plain.subscribe("devices/+/bytes", 1)
            await kept.subscribe("devices/+/bytes1", 1)
            environment = {**os.environ, **where, "DJANGO_SETTINGS_MODULE": "tests.topics.kills.settings"}
            publishing = subprocess.Popen([sys.executable, "-c", PUBLISH], cwd=ROOT, env=environment)
            try:
                assert [await payloads(device, len(BURST)) for device in (plain, kept)] == [BURST, BURST]
            finally:
                assert await asyncio.to_thread(publishing.wait, LONG) == 0
        await get_store().aclose()
