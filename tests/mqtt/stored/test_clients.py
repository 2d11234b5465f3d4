"""Clients of others that come back to another broker with the same store: mosquitto_sub, and paho-mqtt."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.mqtt.test_clients import VERSIONS, WORDS, at, run
from tests.mqtt.test_sessions import two_brokers
from tests.mqtt.topics_for_tests import DeviceLog
from tests.server.helpers import LONG
from tests.support.programs import require


async def publish(*payloads: bytes) -> None:
    for payload in payloads:
        await DeviceLog(id="7").apublish(payload)


@VERSIONS
@pytest.mark.parametrize("qos", ["1", "2"])
async def test_mosquitto_sub_gets_what_it_missed_from_another_broker(version: Any, qos: str) -> None:
    program = require("mosquitto_sub")
    lasting = ["-V", WORDS[version], "-c", "-i", "display", "-q", qos, "-t", "devices/7/bytes1"]
    if version == paho.MQTTv5:
        lasting += ["-x", "600"]
    async with two_brokers() as pair:
        assert await run(program, *at(pair.here), *lasting, "-E") == (0, b"")
        await publish(b"1", b"2", b"3")
        found = await run(program, *at(pair.there), *lasting, "-C", "3", "-W", "20")
        assert found == (0, b"1\n2\n3\n")


@VERSIONS
async def test_paho_goes_on_at_another_broker(version: Any) -> None:
    got: queue.Queue[bytes] = queue.Queue()
    options: dict[str, Any] = {"clean_session": False} if version == paho.MQTTv311 else {}
    client: Any = paho.Client(CallbackAPIVersion.VERSION2, "meter", protocol=version, **options)
    client.on_message = lambda client, data, message: got.put(message.payload)
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()
    client.on_subscribe = lambda *args: loop.call_soon_threadsafe(subscribed.set)
    present: queue.Queue[bool] = queue.Queue()
    client.on_connect = lambda client, data, flags, *rest: present.put(flags.session_present)
    async with two_brokers() as pair:
        await connected(client, version, pair.here.port)
        client.subscribe("devices/7/bytes1", qos=2)
        await asyncio.wait_for(subscribed.wait(), LONG)
        await publish(b"1")
        assert await asyncio.to_thread(got.get, timeout=LONG) == b"1"
        await ended(client)
        await publish(b"2", b"3")
        await connected(client, version, pair.there.port)
        try:
            assert [await asyncio.to_thread(got.get, timeout=LONG) for _ in range(2)] == [b"2", b"3"]
        finally:
            await ended(client)
        assert [present.get(), present.get()] == [False, True]


async def connected(client: Any, version: Any, port: int) -> None:
    more: dict[str, Any] = {}
    if version == paho.MQTTv5:
        more = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
        more["properties"].SessionExpiryInterval = 600
    await asyncio.to_thread(client.connect, "127.0.0.1", port, **more)
    client.loop_start()


async def ended(client: Any) -> None:
    client.disconnect()
    await asyncio.to_thread(client.loop_stop)
