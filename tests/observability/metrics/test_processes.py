"""Metrics of several processes: what `daphne --metrics-port` shows while workers come and go."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from channels import __version__
from channels.observability.metrics.counting.probes import OF_ONE
from tests.server.helpers import UPGRADE
from tests.support.ports import free_port
from tests.support.served import environment, served, wait_until_listening
from tests.support.server_programs import APP

ACCEPT = """await send({"type": "websocket.accept"})
"""
SAYS_PID = """        await send({"type": "websocket.send", "text": f"pid {os.getpid()}."})
"""

pytestmark = pytest.mark.timeout(120)

Figures = dict[str, float]


def parsed(text: str) -> Figures:
    """Every sample as ``name{label="value"}``."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name + labels_of(sample.labels): sample.value for sample in samples}


def labels_of(labels: dict[str, str]) -> str:
    return "".join(f'{{{name}="{value}"}}' for name, value in sorted(labels.items()))


@dataclass
class Site:
    """A running server and its metrics port."""

    port: int
    metrics_port: int

    def figures(self) -> Figures:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return parsed(answer.read().decode())

    def get(self) -> int:
        """One request; the pid of the worker that answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            return int(answer.read().split()[1])

    def websocket(self) -> tuple[socket.socket, int]:
        """An open WebSocket, and the pid of the worker that has it."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.sendall(UPGRADE)
        said = b""
        while not said.endswith(b"."):
            said += sock.recv(4096)
        return sock, int(said.rpartition(b"pid ")[2][:-1])

    def until(self, holds: Callable[[Figures], bool]) -> Figures:
        """The first figures of which something holds."""
        end = time.monotonic() + 30
        while not holds(found := self.figures()):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    assert ACCEPT in APP
    (tmp_path / "served.py").write_text(APP.replace(ACCEPT, ACCEPT + SAYS_PID))
    (tmp_path / "settings_of_served.py").write_text("CHANNELS_METRICS = True\n")
    found = Site(free_port(), free_port())
    command = ["daphne", "-v", "0", "-p", str(found.port), "--metrics-port", str(found.metrics_port)]
    with served(
        [*command, "--workers", "2", "served:app"],
        found.port,
        folder=tmp_path,
        log=tmp_path / "log",
        env=environment(TMPDIR=str(tmp_path), DJANGO_SETTINGS_MODULE="settings_of_served"),
    ) as process:
        wait_until_listening(process, found.metrics_port, tmp_path / "log")
        yield found


CONSUMER = """
import sys
import django
from django.conf import settings

LAYER = {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": sys.argv[-1] + ".layer"}}
settings.configure(INSTALLED_APPS=["channels"], CHANNEL_LAYERS={"default": LAYER}, SECRET_KEY="test")
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer

class Echo(AsyncWebsocketConsumer):
    groups = ["room"]

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data)

app = Echo.as_asgi()
"""


@pytest.fixture
def consumers(tmp_path: Path) -> Iterator[Site]:
    """Two workers with a consumer, and a layer between them."""
    (tmp_path / "served.py").write_text(CONSUMER.replace("sys.argv[-1]", repr(str(tmp_path / "l"))))
    found = Site(free_port(), free_port())
    command = ["daphne", "-v", "0", "-p", str(found.port), "--metrics-port", str(found.metrics_port)]
    with served(
        [*command, "--workers", "2", "served:app"],
        found.port,
        folder=tmp_path,
        log=tmp_path / "log",
        env=environment(TMPDIR=str(tmp_path)),
    ) as process:
        wait_until_listening(process, found.metrics_port, tmp_path / "log")
        yield found


def test_messages_are_counted_both_ways_and_some_of_them_timed(consumers: Site) -> None:
    messages = 150
    with connect(f"ws://127.0.0.1:{consumers.port}/") as client:
        for number in range(messages):
            client.send(f"message {number}")
            assert client.recv(timeout=10) == f"message {number}"
        found = consumers.until(lambda found: found.get("channels_websocket_messages_sent_total") == messages)
        assert found["channels_websocket_messages_received_total"] == messages
        assert found['channels_layer_groups{layer="default"}'] >= 1
        assert found['channels_layer_channels{layer="default"}'] >= 1
    found = consumers.until(lambda found: found[SOCKETS] == 0)
    assert found["channels_websocket_messages_received_total"] == messages
    assert found["channels_websocket_messages_sent_total"] == messages
    sent = sum(2 + len(f"message {number}") for number in range(messages))
    assert sent < found["channels_network_transmit_bytes_total"] < sent + 1000
    assert sent + 4 * messages < found["channels_network_receive_bytes_total"] < sent + 4 * messages + 2000
    assert found["channels_websocket_message_wait_seconds_count"] >= 1
    assert found['channels_consumer_handler_duration_seconds_count{consumer="Echo"}'] >= messages // OF_ONE
    assert found["channels_event_loop_lag_seconds_count"] > 0
    assert 'channels_threads{state="busy"}' in found


def test_a_layer_is_timed_from_one_process_to_the_other(consumers: Site) -> None:
    name = 'channels_layer_latency_seconds_count{layer="default"}'
    found = consumers.until(lambda found: found.get(name, 0) > 0)
    assert found['channels_layer_latency_seconds_bucket{layer="default"}{le="10.0"}'] == found[name]


OK = 'channels_http_request_duration_seconds_count{method="GET"}{status="200"}'
INFO = f'channels_info{{kind="server"}}{{version="{__version__}"}}'
SOCKETS = 'channels_connections{protocol="websocket"}'


def test_counters_of_killed_workers_stay_and_their_gauges_vanish(site: Site, tmp_path: Path) -> None:
    for _ in range(20):
        site.get()
    assert site.until(lambda found: found.get(OK) == 20)[OK] == 20
    sockets = [site.websocket() for _ in range(6)]
    site.until(lambda found: found.get(SOCKETS) == 6)
    victim = sockets[0][1]
    left = sum(pid != victim for _, pid in sockets)
    os.kill(victim, signal.SIGKILL)
    seen: list[Figures] = []
    site.until(lambda found: bool(seen.append(found)) or found.get(SOCKETS, 0) == left)
    counted = [found[OK] for found in seen]
    assert counted == sorted(counted)  # a counter that goes down would look like a restart
    for sock, _ in sockets:
        sock.close()
    site.until(lambda found: found.get(SOCKETS) == 0)
    asked = 10
    for _ in range(asked):
        site.get()
    found = site.until(lambda found: found[OK] == 20 + asked)
    assert found.get('channels_websocket_closes_total{code="1006"}', 0) == left
    assert found['channels_websocket_handshakes_total{result="accepted"}'] == 6
    # The files of the dead are gone: two processes serve, as soon as the other is replaced.
    site.until(lambda found: found[INFO] == 2)
    (folder,) = tmp_path.glob("fairway-metrics-*")
    assert len(list(folder.glob("*.lock"))) == 2


def test_what_is_shown_is_text_for_get_only(site: Site) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{site.metrics_port}/", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 405
