"""What the users of the devices example see: what 500 devices say over MQTT."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import time
from typing import Any, ClassVar

from benchmarks.examples.users import Measured, Site, Users

CONNECTS_WITHIN = 60.0  # seconds
#: Devices that connect at the same time.
AT_ONCE = 20
CONNACK, PUBACK = b"\x20\x02\x00\x00", b"\x40\x02\x00\x01"


def connect_packet(name: str, key: str) -> bytes:
    """Return CONNECT of MQTT 3.1.1: a clean session, a name and a password, and 60 s between two packets."""
    return packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text(name) * 2 + text(key))


def publish_packet(topic: str, payload: bytes) -> bytes:
    """Return PUBLISH with QoS 1; each waits for its PUBACK, so that all have the same number."""
    return packet(0x32, text(topic) + b"\x00\x01" + payload)


def packet(first: int, body: bytes) -> bytes:
    """Return a packet of less than 16 kB."""
    size = len(body)
    return bytes([first, size] if size < 128 else [first, 128 | (size & 127), size >> 7]) + body


def text(value: str) -> bytes:
    """Return a string with its length before it."""
    return struct.pack("!H", len(value)) + value.encode()


class DeviceUsers(Users):
    """Pages that watch all devices, each of which says every ten seconds how it is."""

    every: ClassVar[float] = 10.0
    devices_app = "mqtt"
    does = (
        "500 devices say every 10 s over MQTT how they are (QoS 1), each page watches all of them: "
        "from the device to the page"
    )
    prepare = """
from fleet.keys import key_of
from fleet.models import Device
found["devices"] = [(name, key_of(name)) for name in Device.objects.values_list("name", flat=True)]
"""

    def __init__(self, site: Site, measured: Measured) -> None:
        super().__init__(site, measured)
        self.devices: list[asyncio.Task[None]] = []
        self.beginning = asyncio.Lock()

    async def add(self, number: int) -> None:
        """Watch all devices; they are there before the first one who does."""
        async with self.beginning:
            if not self.devices:
                await self.connect_devices()
        topics = [f"devices/{name}/state" for name, _ in self.site.found["devices"]]
        socket = await self.subscribed(number, *topics)
        receive, done, answered = socket.receive, asyncio.Event(), 0

        def count(frame: bytes) -> None:
            nonlocal answered
            receive(frame)
            answered += frame.count(b'"subscribe"')
            if answered >= len(topics):
                socket.receive = receive
                done.set()

        socket.receive = count
        await asyncio.wait_for(done.wait(), CONNECTS_WITHIN)

    def published(self, publication: dict[str, Any]) -> None:
        """Read when it was said: the devices are of this process, and say it in place of their watts."""
        if publication["data"]["online"]:
            self.measured.note(publication["data"]["watts"])

    async def connect_devices(self) -> None:
        """Connect them, and let each say how it is from now on."""
        waiting = asyncio.Semaphore(AT_ONCE)

        async def connect(name: str, key: str) -> None:
            async with waiting:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.site.devices_port)
                writer.write(connect_packet(name, key))
                answer = await asyncio.wait_for(reader.readexactly(len(CONNACK)), CONNECTS_WITHIN)
            if answer != CONNACK:
                raise ConnectionError(f"{name} was refused: {answer!r}")
            self.devices.append(asyncio.create_task(self.report(name, reader, writer)))

        await asyncio.gather(*(connect(name, key) for name, key in self.site.found["devices"]))

    async def report(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say every ten seconds how a device is, at a moment of its own."""
        try:
            await asyncio.sleep(random.random() * self.every)
            while True:
                said = {"online": True, "on": True, "watts": time.monotonic()}
                writer.write(publish_packet(f"devices/{name}/state", json.dumps(said).encode()))
                if await reader.readexactly(len(PUBACK)) != PUBACK:
                    self.measured.failed += 1
                await asyncio.sleep(self.every)
        finally:
            writer.close()

    def lost(self) -> int:
        """Return how many pages and devices have ended."""
        return super().lost() + sum(device.done() for device in self.devices)

    def close(self) -> None:
        """End all of them."""
        super().close()
        for device in self.devices:
            device.cancel()
