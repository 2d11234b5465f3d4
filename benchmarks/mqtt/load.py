"""What is done to a broker of MQTT, and what is read from it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks import environment
from benchmarks.load import IDLE_PATIENCE, PATIENCE, SETTLE, LoadClient, LoadFailed, Settings
from benchmarks.results import Reading
from benchmarks.servers import Server


class Mqttload(LoadClient):
    """The client of MQTT under way."""

    def __init__(
        self,
        settings: Settings,
        mode: str,
        server: Server,
        topic: str,
        *options: str,
        patience: float = PATIENCE,
    ):
        program = environment.compile_c(environment.HERE / "mqtt" / "mqttload.c")
        super().__init__([str(program), mode, str(server.ports[0]), topic, *options], settings, patience)


@dataclass(frozen=True)
class MQTTThroughput:
    """Deliveries or acknowledgements per second (mqttload's fanout and publish).

    Attributes:
        mode: mqttload's.
        clients: who subscribe, or who publish.
        window: messages under way, of each publisher.
        size: bytes of a message.
    """

    mode: str
    clients: int
    window: int
    size: int = 64

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        options = ("-c", str(self.clients), "-w", str(self.window), "-b", str(self.size))
        with Mqttload(settings, self.mode, server, path, *options) as client:
            done, cpu_us = client.measured(server)
        note = f"{done['dead']} connections lost" if done["dead"] else ""
        return Reading(done["per_s"], cpu_us=cpu_us, note=note)


@dataclass(frozen=True)
class MQTTIdle:
    """Kilobytes of memory per client that has subscribed to a topic of its own and is silent.

    Attributes:
        clients: how many.
        settle: seconds until the memory is read.
    """

    clients: int = 2000
    settle: float = SETTLE

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        self._hold(server, path, settings, 100)  # what is imported and made with the first connections
        before = server.memory()
        opened, memory = self._hold(server, path, settings, int(self.clients * settings.scale))
        return Reading((memory - before) / opened / 1000)

    def _hold(self, server: Server, path: str, settings: Settings, clients: int) -> tuple[int, int]:
        options = ("-c", str(clients))
        with Mqttload(settings, "idle", server, path, *options, patience=IDLE_PATIENCE) as client:
            opened = client.until("open")["conns"]
            time.sleep(self.settle)
            memory = server.memory()
        time.sleep(self.settle)
        if opened != clients:
            raise LoadFailed(f"{opened} of {clients} clients are connected")
        return opened, memory
