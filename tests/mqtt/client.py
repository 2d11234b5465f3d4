"""A client that sends and reads packets, and a server with a broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from django.urls import path

from channels.mqtt.application import MQTTBroker
from channels.protocols.mqtt.decoding import decode_packet
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import (
    V5,
    ConnAck,
    Connect,
    Packet,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
)
from channels.routing import ProtocolTypeRouter, URLRouter
from tests.mqtt import topics_for_tests as topics_for_tests  # it registers them
from tests.server.helpers import LONG, Running, serve

ENDPOINT = ("tcp:port=0:interface=127.0.0.1:app=mqtt", "tcp:port=0:interface=127.0.0.1")


class Device:
    """One client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version

    async def send(self, *packets: Packet) -> None:
        await self.raw(b"".join(encode_packet(packet, self.version) for packet in packets))

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Any:
        async with asyncio.timeout(LONG):
            (first,) = await self.reader.readexactly(1)
            length, shift = 0, 0
            while True:
                (byte,) = await self.reader.readexactly(1)
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return decode_packet(first, await self.reader.readexactly(length), self.version)

    async def closed(self) -> None:
        """Wait for the server's close; nothing comes before it."""
        assert await asyncio.wait_for(self.reader.read(), LONG) == b""

    async def subscribe(self, topic_filter: str, qos: int = 0, **options: Any) -> SubAck:
        properties = options.pop("properties", {})
        await self.send(Subscribe(1, [Subscription(topic_filter, qos, **options)], properties))
        answer = await self.receive()
        assert isinstance(answer, SubAck)
        return answer

    async def publish(self, topic: str, payload: bytes, packet_id: int = 1, **more: Any) -> Packet:
        """Publish with QoS 1, and return the answer."""
        await self.send(Publish(topic, payload, 1, packet_id=packet_id, **more))
        answer = await self.receive()
        assert isinstance(answer, PubAck), answer
        return answer

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Fleet:
    """A server, and the devices that connect to it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._devices: list[Device] = []

    @property
    def port(self) -> int:
        return int(self.running.server.addresses[0][1])

    async def open(self, version: int = V5) -> Device:
        pair = await asyncio.open_connection("127.0.0.1", self.port)
        self._devices.append(Device(*pair, version))
        return self._devices[-1]

    async def connect(self, client_id: str = "", version: int = V5, **more: Any) -> Device:
        device = await self.open(version)
        answer = await self.tried(device, Connect(client_id, version, **more))
        assert answer.reason == 0, answer
        return device

    @staticmethod
    async def tried(device: Device, packet: Connect) -> ConnAck:
        await device.send(packet)
        answer = await device.receive()
        assert isinstance(answer, ConnAck)
        return answer

    async def aclose(self) -> None:
        for device in self._devices:
            await device.leave()


@contextlib.asynccontextmanager
async def broker(options: Any = None, **settings: Any) -> AsyncIterator[Fleet]:
    """Serve MQTT over TCP and over WebSockets."""
    application = MQTTBroker(**(options or {}))
    router = ProtocolTypeRouter(
        {
            "tcp": URLRouter([path("mqtt", application)]),
            "websocket": URLRouter([path("mqtt", application)]),
        }
    )
    async with serve(router, endpoints=ENDPOINT, **settings) as running:
        fleet = Fleet(running)
        try:
            yield fleet
        finally:
            await fleet.aclose()
