"""``manage.py fleet``: devices as somebody else could have built them. They know nothing of Django.

Each has a connection of its own. Killed, or without power, they say no goodbye: then the broker publishes
their wills.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiomqtt
from django.core.management import BaseCommand, CommandError

from fleet.keys import key_of
from fleet.models import Device

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0  # seconds until a lost connection is tried again


@dataclass
class Simulated:
    """One device.

    Attributes:
        name: by which the broker knows it.
        rated: watts, when it is on.
        broker: where it connects.
        every: seconds between two reports.
    """

    name: str
    rated: int
    broker: tuple[str, int]
    every: float

    def __post_init__(self) -> None:
        self.chance = random.Random(self.name)  # noqa: S311  # the same each time
        self.on = self.chance.random() < 0.6  # as somebody has left it on the spot

    async def live(self) -> None:
        """Connect, again and again."""
        wait = FIRST_WAIT
        while True:
            try:
                async with self.connected() as client:
                    wait = FIRST_WAIT
                    await asyncio.gather(self.obey(client), self.report(client))
            except aiomqtt.MqttError:
                # All come back after a loss, but not all at once.
                await asyncio.sleep(wait * self.chance.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[aiomqtt.Client]:
        host, port = self.broker
        will = aiomqtt.Will(f"devices/{self.name}/state", json.dumps({"online": False}), qos=1)
        async with aiomqtt.Client(
            host, port, identifier=self.name, username=self.name, password=key_of(self.name), will=will
        ) as client:
            await client.subscribe(f"devices/{self.name}/wanted", qos=1)
            yield client

    async def obey(self, client: aiomqtt.Client) -> None:
        """Do what is wanted, and say so. The first message is what was wanted last, if it ever was."""
        async for message in client.messages:
            await asyncio.sleep(self.chance.uniform(0, 0.3))  # relays are slow
            self.on = json.loads(message.payload)
            await self.say(client)

    async def report(self, client: aiomqtt.Client) -> None:
        """Say how it is, from time to time."""
        while True:
            await self.say(client)
            await asyncio.sleep(self.every * self.chance.uniform(0.8, 1.2))

    async def say(self, client: aiomqtt.Client) -> None:
        watts = round(self.rated * self.chance.uniform(0.9, 1.05), 1) if self.on else 0.0
        state = {"online": True, "on": self.on, "watts": watts}
        await client.publish(f"devices/{self.name}/state", json.dumps(state), qos=1)


class Command(BaseCommand):
    help = "Simulates devices that connect to the broker, until it is stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--devices", type=int, default=500, help="how many")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=1883)
        parser.add_argument("--every", type=float, default=10.0, help="seconds between two reports of each")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Device.objects.filter(is_active=True)[: options["devices"]]
        broker, every = (options["host"], options["port"]), options["every"]
        devices = [Simulated(each.name, each.rated, broker, every) for each in found]
        if not devices:
            raise CommandError("There are no devices: run 'manage.py migrate' first.")
        # Ctrl-C is a power cut, too: nobody says goodbye.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.stdout.write(f"{len(devices)} devices connect to {options['host']}:{options['port']} ...")
        asyncio.run(self.live(devices))

    async def live(self, devices: list[Simulated]) -> None:
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(device.live())
