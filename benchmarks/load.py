"""What is done to a server, and what is read from it: one class per kind of load."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from .children import Child
from .results import Reading
from .servers import LOAD_CORE, Server

PATIENCE = (
    20.0  # seconds beyond the measurement itself: a contender that has given nothing by then gives nothing
)
IDLE_PATIENCE = 40.0  # for thousands of sockets
ROOM_PATIENCE = 50.0  # for tens of thousands
SETTLE = 1.0


@dataclass(frozen=True)
class Settings:
    """How long, and with which programs.

    Attributes:
        seconds: of one measurement.
        wsload: the compiled client.
        cookie: the session of a user who is logged in.
        scale: the share of the sockets that big rows open; 1 for a full run.
    """

    seconds: float
    wsload: Path
    cookie: str
    scale: float = 1.0


class LoadFailed(Exception):
    """The client has no result; the text says why."""


class Load(Protocol):
    """Something that can be done to a server."""

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        """Do it and say what came out.

        Raises:
            LoadFailed: nothing came out.
        """


class LoadClient:
    """A client under way; it is killed at the end of the block, and when its time is over.

    Args:
        command: the client without how long it measures.
        settings: how long.
        patience: seconds beyond that.
    """

    def __init__(self, command: Sequence[str], settings: Settings, patience: float = PATIENCE):
        timing = ("-t", str(settings.seconds), "-u", str(min(1.0, settings.seconds)))
        pipe = subprocess.PIPE
        self._child = Child(LOAD_CORE, [*command, *timing], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._process = self._child.process
        self._patience = settings.seconds + patience
        self._deadline = threading.Timer(self._patience, self._child.kill)

    def __enter__(self) -> Self:
        self._deadline.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._deadline.cancel()
        self._child.stop(within=0)
        self._process.communicate()

    def until(self, name: str) -> dict[str, Any]:
        """The record of a phase, as soon as the client prints it.

        Raises:
            LoadFailed: it ended without, with what it said instead.
        """
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        for line in self._process.stdout:
            record: dict[str, Any] = json.loads(line)
            if record["phase"] == name:
                return record
        said = self._process.stderr.read().strip().replace("\n", "; ")
        raise LoadFailed(said[:200] or f"nothing within {self._patience:g} s")

    def measured(self, server: Server) -> tuple[dict[str, Any], float]:
        """The record of the measurement, and the server's processor time per unit in microseconds.

        Raises:
            LoadFailed: nothing came back.
        """
        self.until("measuring")
        before, begun = server.cpu_seconds(), time.monotonic()
        done = self.until("done")
        used, took = server.cpu_seconds() - before, time.monotonic() - begun
        if not done["n"]:
            raise LoadFailed("nothing came back")
        return done, used / took / done["per_s"] * 1e6


class Wsload(LoadClient):
    """The client of WebSockets and HTTP/1.1 under way."""

    def __init__(
        self,
        settings: Settings,
        mode: str,
        server: Server,
        path: str,
        *options: str,
        patience: float = PATIENCE,
    ):
        ports = ",".join(map(str, server.ports))
        super().__init__([str(settings.wsload), mode, ports, path, *options], settings, patience)


#: Where clients of topics connect, of Socket.IO, and of the two rooms of chanx.
TOPICS = "/connection/websocket"
SOCKET_IO = "/socket.io/?EIO=4&transport=websocket"
CHANX_TOPIC, CHANX_GROUP = "/ws/chanx/topic/bench/", "/ws/chanx/group/bench/"
_CHANX = ("-F", '{"action":"say","payload":%}')
#: How clients say a message where they do not send it as it is: wsload's options.
_FORMS = {SOCKET_IO: ("-S", "-F", '42["say",%]'), CHANX_TOPIC: _CHANX, CHANX_GROUP: _CHANX}


@dataclass(frozen=True)
class Throughput:
    """Messages, deliveries, requests or connects per second (wsload's fanout, echo, get and storm).

    Attributes:
        mode: wsload's.
        connections: how many.
        window: messages under way; for a storm: handshakes.
        size: bytes of a message.
        signed_in: whether the session cookie is sent.
        topics: that every connection subscribes to; the first is published to.
    """

    mode: str
    connections: int = 200
    window: int = 1
    size: int = 64
    signed_in: bool = False
    topics: tuple[str, ...] = ()

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        options = ["-c", str(self.connections), "-w", str(self.window), "-b", str(self.size)]
        if self.signed_in:
            options += ["-H", f"Cookie: {settings.cookie}"]
        # A contender without topics gets the same from a consumer.
        if self.topics and path == TOPICS:
            options += ["-T", ",".join(self.topics)]
        options += _FORMS.get(path, ())
        with Wsload(settings, self.mode, server, path, *options) as client:
            done, cpu_us = client.measured(server)
        note = f"{done['dead']} connections lost" if done["dead"] else ""
        return Reading(done["per_s"], done["us"], cpu_us, note)


@dataclass(frozen=True)
class RoundTrip(Throughput):
    """Milliseconds from a message to its delivery, at the median; what was slowest is in the note."""

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        reading = super().measure(server, path, settings)
        took = reading.latency_us
        return Reading(took["p50"] / 1000, took, note=f"p99 {took['p99'] / 1000:.1f} ms")


@dataclass(frozen=True)
class Idle:
    """Kilobytes of memory per socket that is open and silent."""

    connections: int = 2000
    topics: tuple[str, ...] = ()

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        self._hold(server, path, settings, 100)  # what is imported and made with the first connections
        before = server.memory()
        opened, memory = self._hold(server, path, settings, int(self.connections * settings.scale))
        return Reading((memory - before) / opened / 1000)

    def _hold(self, server: Server, path: str, settings: Settings, connections: int) -> tuple[int, int]:
        cookie = ("-H", f"Cookie: {settings.cookie}")
        count = ["-c", str(connections)]
        if self.topics:
            count += ["-T", ",".join(self.topics)]
        with Wsload(settings, "idle", server, path, *count, *cookie, patience=IDLE_PATIENCE) as client:
            opened = client.until("open")["conns"]
            time.sleep(SETTLE)
            memory = server.memory()
        time.sleep(SETTLE)
        if not opened:
            raise LoadFailed("no connection opened")
        return opened, memory


@dataclass(frozen=True)
class Burst:
    """One message to a big room: milliseconds to the last byte, and what another socket waits meanwhile."""

    connections: int
    echo_path: str

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        members = str(int(self.connections * settings.scale))
        with Wsload(
            settings, "burst", server, path, "-c", members, "-e", self.echo_path, patience=ROOM_PATIENCE
        ) as client:
            done = client.until("done")
        if not done["last_us"]["max"]:
            raise LoadFailed("the message did not reach the whole room")
        echo = done["us"]
        note = f"{members} sockets; echo meanwhile at most {echo['max'] / 1000:.1f} ms"
        return Reading(done["last_us"]["p50"] / 1000, echo, note=note)


_H2LOAD = re.compile(r"finished in [^,]+, ([\d.]+) req/s")
_H2LOAD_FAILED = re.compile(r"(\d+) failed, (\d+) errored, (\d+) timeout")


def read_h2load(text: str) -> float:
    """Requests per second from what h2load prints.

    Raises:
        LoadFailed: there is no such figure, or requests failed.
    """
    rate, failed = _H2LOAD.search(text), _H2LOAD_FAILED.search(text)
    if rate is None or float(rate[1]) == 0:
        raise LoadFailed("h2load found no rate")
    if failed is not None and any(int(number) for number in failed.groups()):
        raise LoadFailed(f"h2load: {failed[0]}")
    return float(rate[1])


def _output(command: list[str], seconds: float) -> str:
    """What a program of the load prints.

    Raises:
        LoadFailed: it did not end in time.
    """
    child = Child(LOAD_CORE, command, stdout=subprocess.PIPE, text=True)
    try:
        return str(child.process.communicate(timeout=seconds)[0])
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"nothing within {seconds:g} s") from error
    finally:
        child.stop(within=0)


@dataclass(frozen=True)
class Http2:
    """Requests per second over HTTP/2 in the clear (h2load)."""

    connections: int = 8
    streams: int = 16

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        program = shutil.which("h2load")
        if program is None:
            raise LoadFailed("h2load is not installed (apt-get install nghttp2-client)")
        numbers = ("-c", str(self.connections), "-m", str(self.streams), "-D", f"{settings.seconds:g}")
        url = f"http://127.0.0.1:{server.ports[0]}{path}"
        before, begun = server.cpu_seconds(), time.monotonic()
        text = _output([program, *numbers, "--warm-up-time=1", url], settings.seconds + PATIENCE)
        rate = read_h2load(text)
        cpu = (server.cpu_seconds() - before) / (time.monotonic() - begun)
        return Reading(rate, cpu_us=cpu / rate * 1e6)


@dataclass(frozen=True)
class Beside:
    """Milliseconds one echo takes while another connection's sync handler sleeps."""

    sleep_path: str
    sleep: float = 2.0

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        from websockets.sync.client import connect

        base = f"ws://127.0.0.1:{server.ports[0]}"
        with connect(base + self.sleep_path) as sleeper, connect(base + path) as other:
            other.send("first")
            other.recv(PATIENCE)
            sleeper.send(str(self.sleep))
            time.sleep(0.1)  # until it is in its handler
            begun = time.monotonic()
            other.send("second")
            other.recv(PATIENCE)
            took = time.monotonic() - begun
            sleeper.recv(PATIENCE)
        return Reading(took * 1000)


@dataclass(frozen=True)
class Told:
    """What the server measures itself and tells as JSON: microseconds of its own time, and a note."""

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        url = f"http://127.0.0.1:{server.ports[0]}{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            told = json.load(answer)
        return Reading(told["us"], cpu_us=told["us"], note=told["note"])


@dataclass(frozen=True)
class ToldBeside:
    """What the server tells while sockets are open: see :class:`Told`.

    Attributes:
        topics: that every connection subscribes to.
        prepare: is asked for before they connect.
        told: is asked for the figure, by the path that the sockets connect to.
        connections: how many.
    """

    topics: tuple[str, ...]
    prepare: str
    told: Mapping[str, str]
    connections: int = 200

    def measure(self, server: Server, path: str, settings: Settings) -> Reading:
        urllib.request.urlopen(f"http://127.0.0.1:{server.ports[0]}{self.prepare}", timeout=PATIENCE).close()
        options = ["-c", str(self.connections)]
        if path == TOPICS:
            options += ["-T", ",".join(self.topics)]
        with Wsload(settings, "idle", server, path, *options, patience=IDLE_PATIENCE) as client:
            if client.until("open")["conns"] != self.connections:
                raise LoadFailed("not all connections opened")
            return Told().measure(server, self.told[path], settings)
