"""A broker that is killed: what it has acknowledged is in the history, in Redis."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from channels.protocols.mqtt.packets import V5, Connect, PubAck, Publish, PubRec
from channels.topics.stores.redis import RedisStore
from tests.mqtt.client import Device
from tests.mqtt.test_bridge import reached
from tests.server.helpers import LONG
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

ROOT = Path(__file__).parents[3]
#: Publications acknowledged before the broker is killed, while more are on their way.
BEFORE = 200


@pytest.mark.parametrize("qos", [1, 2])
async def test_what_a_killed_broker_has_acknowledged_is_in_the_history(qos: int) -> None:
    with RedisServer() as server:
        port = free_port()
        environment = {**os.environ, "TOPICS_REDIS": server.url}
        environment["DJANGO_SETTINGS_MODULE"] = "tests.topics.kills.settings"
        endpoint = f"tcp:port={port}:interface=127.0.0.1:app=mqtt"
        options = ["-v", "0", "-e", endpoint, "tests.mqtt.kills.served:application"]
        command = [sys.executable, "-m", "daphne", *options]
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            acknowledged = await asyncio.wait_for(publish_until_killed(port, process, qos), 2 * LONG)
        finally:
            process.kill()
            process.wait(LONG)
        store = RedisStore([server.url])
        page = await store.read("devices/7/bytes1")
        await store.aclose()
        kept = [int(bytes(each.data)) for each in page.publications]
        assert len(acknowledged) >= BEFORE
        assert set(acknowledged) <= set(kept)
        assert kept == sorted(set(kept)), "in their order, and none twice"


async def publish_until_killed(port: int, process: subprocess.Popen[bytes], qos: int) -> list[int]:
    """Publish without a pause; return what was acknowledged until the broker was gone."""
    device = Device(*await reached(port), V5)
    await device.send(Connect("meter"))
    await device.receive()
    acknowledged: list[int] = []

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            for number in range(1, 20_000):
                await device.send(Publish("devices/7/bytes1", str(number).encode(), qos, packet_id=number))

    sending = asyncio.ensure_future(send())
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while isinstance(answer := await device.receive(), PubAck | PubRec):
            assert answer.reason == 0
            acknowledged.append(answer.packet_id)
            if len(acknowledged) == BEFORE:
                process.kill()
    sending.cancel()
    await device.leave()
    return acknowledged
