"""Brokers, and what their sessions are stored in, are killed in the middle of messages of QoS 1 and 2.

A subscriber and a publisher that do what the standard asks of clients go on at whichever broker answers.
In the end each message of QoS 2 has come once, in its order, and each of QoS 1 at least once. ``make chaos``
runs this with thousands of messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from channels.protocols.mqtt.packets import (
    V5,
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
)
from tests.layers.size import FULL, report, size
from tests.mqtt.client import Device
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

pytestmark = pytest.mark.timeout(900 if FULL else 120)

ROOT = Path(__file__).parents[3]
TOPIC = "devices/7/bytes1"
MESSAGES = size(240, 8_000)
#: Messages on their way, and seconds until all is lost.
WINDOW, PATIENCE = 20, size(60, 600)
LOST = (ConnectionError, asyncio.IncompleteReadError)


class Broker:
    """A process that serves devices."""

    def __init__(self, **where: str) -> None:
        self.port = free_port()
        self._env = {**os.environ, **where, "DJANGO_SETTINGS_MODULE": "tests.topics.kills.settings"}
        self.start()

    def start(self) -> None:
        endpoint = f"tcp:port={self.port}:interface=127.0.0.1:app=mqtt"
        options = ["-v", "0", "-e", endpoint, "tests.mqtt.kills.served:application"]
        self._process = subprocess.Popen([sys.executable, "-m", "daphne", *options], cwd=ROOT, env=self._env)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Client:
    """A client with a session that lasts, at whichever broker answers.

    Args:
        name: its identifier.
        ports: of the brokers; the first is tried first.
    """

    def __init__(self, name: str, ports: list[int]) -> None:
        self.name, self._ports = name, cycle(ports)
        self.connects = 0

    async def run(self) -> None:
        """Go on over one connection after the other until all is done."""
        while not self.done():
            with contextlib.suppress(*LOST):
                device = await self._connect()
                try:
                    await self.begin(device)
                    while not self.done():
                        packet = await device.receive()
                        if isinstance(packet, Disconnect):
                            break
                        await self.take(device, packet)
                finally:
                    await device.leave()

    async def _connect(self) -> Device:
        while True:
            with contextlib.suppress(*LOST):
                device = Device(*await asyncio.open_connection("127.0.0.1", next(self._ports)), V5)
                lasting = {"session_expiry_interval": 600}
                await device.send(Connect(self.name, clean_start=False, properties=lasting))
                answer = await device.receive()
                if isinstance(answer, ConnAck) and not answer.reason:
                    assert answer.session_present is (self.connects > 0), "the session was lost"
                    self.connects += 1
                    return device
                await device.leave()
            await asyncio.sleep(0.05)

    def done(self) -> bool:
        raise NotImplementedError

    async def begin(self, device: Device) -> None:
        raise NotImplementedError

    async def take(self, device: Device, packet: Any) -> None:
        raise NotImplementedError


class Subscriber(Client):
    """Notes what comes: a message of QoS 2 once, by its packet identifier."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__("subscriber", ports)
        self.got: list[int] = []
        self._received: set[int] = set()
        self._subscribed = False
        self.ready = asyncio.Event()

    def done(self) -> bool:
        return set(range(MESSAGES)) <= set(self.got)

    async def begin(self, device: Device) -> None:
        if not self._subscribed:
            await device.send(Subscribe(1, [Subscription(TOPIC, 2)]))

    async def take(self, device: Device, packet: Any) -> None:
        if isinstance(packet, SubAck):
            self._subscribed = True
            self.ready.set()
        elif isinstance(packet, PubRel):
            self._received.discard(packet.packet_id)
            await device.send(PubComp(packet.packet_id))
        elif packet.qos == 1:
            self.got.append(int(packet.payload))
            await device.send(PubAck(packet.packet_id))
        else:
            if packet.packet_id not in self._received:
                self._received.add(packet.packet_id)
                self.got.append(int(packet.payload))
            await device.send(PubRec(packet.packet_id))

    async def has(self, amount: int) -> None:
        while len(self.got) < amount:
            await asyncio.sleep(0.01)


class Publisher(Client):
    """Publishes numbers, QoS 1 and 2 in turn; sends again what was not acknowledged, in its order."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__("publisher", ports)
        self._next = 0
        self._open: dict[int, Publish | PubRel] = {}

    def done(self) -> bool:
        return self._next == MESSAGES and not self._open

    async def begin(self, device: Device) -> None:
        for packet in self._open.values():
            if isinstance(packet, Publish):
                packet.dup = True
            await device.send(packet)
        await self._more(device)

    async def _more(self, device: Device) -> None:
        while self._next < MESSAGES and len(self._open) < WINDOW:
            number, packet_id = self._next, self._next % 60_000 + 1
            self._next += 1
            packet = Publish(TOPIC, b"%d" % number, 1 + number % 2, packet_id=packet_id)
            self._open[packet_id] = packet
            await device.send(packet)

    async def take(self, device: Device, packet: Any) -> None:
        assert not packet.reason or isinstance(packet, PubComp), packet
        if isinstance(packet, PubRec):
            self._open[packet.packet_id] = PubRel(packet.packet_id)
            await device.send(PubRel(packet.packet_id))
        else:
            self._open.pop(packet.packet_id, None)
            await self._more(device)


class Stage:
    """Who is there while something is killed."""

    def __init__(self, redis: RedisServer | None, **where: str) -> None:
        self.redis = redis
        self.brokers = [Broker(**where), Broker(**where)]

    async def kill(self, act: str) -> None:
        """Kill a broker by its number, or Redis, and start it again."""
        if act == "redis":
            assert self.redis is not None
            self.redis.kill()
            await asyncio.to_thread(self.redis.start)
        else:
            self.brokers[int(act)].kill()
            self.brokers[int(act)].start()

    async def play(self, acts: list[str]) -> Subscriber:
        """Return the subscriber when all has come."""
        ports = [each.port for each in self.brokers]
        subscriber, publisher = Subscriber(ports), Publisher(ports[::-1])
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(subscriber.run())
            await subscriber.ready.wait()
            tasks.create_task(publisher.run())
            for number, act in enumerate(acts, 1):
                await subscriber.has(MESSAGES * number // (len(acts) + 2))
                await self.kill(act)
        report(messages=MESSAGES, got=len(subscriber.got), connects=subscriber.connects + publisher.connects)
        return subscriber


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@contextlib.asynccontextmanager
async def stage(redis: RedisServer | None) -> AsyncIterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="mqtt"))  # pytest's own are too long for a Unix socket
    where = {"TOPICS_PATH": str(folder / "host")} if redis is None else {"TOPICS_REDIS": redis.url}
    found = Stage(redis, **where)
    try:
        yield found
    finally:
        for each in found.brokers:
            each.kill()
        shutil.rmtree(folder, ignore_errors=True)


def assert_complete(subscriber: Subscriber) -> None:
    exactly = [number for number in subscriber.got if number % 2]
    assert exactly == list(range(1, MESSAGES, 2)), "QoS 2: each once, in its order"
    assert set(subscriber.got) == set(range(MESSAGES))


async def test_brokers_of_one_machine_are_killed_the_carrier_of_the_layer_too() -> None:
    async with stage(None) as found:
        assert_complete(await found.play(["0", "1"] * size(1, 3)))


async def test_brokers_and_redis_are_killed(redis: RedisServer) -> None:
    async with stage(redis) as found:
        assert_complete(await found.play(["redis", "0"] * size(1, 3)))
