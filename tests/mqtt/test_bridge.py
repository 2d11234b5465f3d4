"""Debian's mosquitto as a bridge: a broker at the edge whose topics are those of the project."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from channels.protocols.mqtt.packets import Connect
from channels.topics import ahistory
from tests.mqtt.client import Device, broker
from tests.mqtt.topics_for_tests import DeviceState
from tests.server.helpers import LONG, eventually
from tests.support.ports import free_port
from tests.support.programs import require

CONFIG = """
listener {port} 127.0.0.1
allow_anonymous true
connection edge
address 127.0.0.1:{ours}
bridge_protocol_version {version}
try_private false
cleansession true
topic devices/+/state both 1
"""


@pytest.mark.parametrize("version", ["mqttv311", "mqttv50"])
async def test_what_is_published_at_the_edge_is_in_the_topic_and_the_reverse(
    tmp_path: Path, version: str
) -> None:
    program = require("mosquitto")
    async with broker() as fleet:
        config, port = tmp_path / "mosquitto.conf", free_port()
        config.write_text(CONFIG.format(port=port, ours=fleet.port, version=version))
        bridge = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            await eventually(lambda: fleet.running.streams)
            device = Device(*await reached(port), 4)
            await connected(device)
            await device.publish("devices/7/state", b'{"on": true}')
            async with asyncio.timeout(LONG):
                while not (await ahistory(DeviceState(id="7"))).entries:
                    await asyncio.sleep(0.02)
            await device.subscribe("devices/8/state", 1)
            await DeviceState(id="8").apublish([1])
            got = await device.receive()
            assert (got.topic, got.payload) == ("devices/8/state", b"[1]")
            await device.leave()
        finally:
            bridge.terminate()
            await asyncio.to_thread(bridge.wait, LONG)


async def reached(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(LONG):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)


async def connected(device: Device) -> None:
    await device.send(Connect("device", 4))
    await device.receive()
