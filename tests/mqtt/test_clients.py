"""Clients of others: paho-mqtt, aiomqtt, and mosquitto's programs; over TCP, TLS and WebSockets."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import pytest
from django.contrib.auth import get_user_model
from django.urls import path
from paho.mqtt.enums import CallbackAPIVersion

from channels import telemetry
from channels.mqtt.application import MQTTBroker
from channels.protocols.mqtt.packets import V5
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import TopicsCommunicator
from channels.topics import ahistory
from channels.topics.routing import websocket_urlpatterns
from tests.mqtt.client import Fleet, broker
from tests.mqtt.topics_for_tests import DeviceState
from tests.protocols.mqtt.cases import CONNECT
from tests.server.helpers import LONG, serve
from tests.support.certificates import make_pair
from tests.support.programs import require

VERSIONS = pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
WORDS = {paho.MQTTv311: "311", paho.MQTTv5: "5"}


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_aiomqtt_publishes_and_is_told(version: Any, qos: int) -> None:
    async with broker() as fleet:
        settings: Any = {
            "hostname": "127.0.0.1",
            "port": fleet.port,
            "protocol": aiomqtt.ProtocolVersion(version),
        }
        async with aiomqtt.Client(**settings) as client, asyncio.timeout(LONG):
            await client.subscribe("devices/+/state", qos=qos)
            for number in range(30):
                await client.publish("devices/7/state", str(number), qos=qos)
            got = []
            async for message in client.messages:
                got.append(int(message.payload))
                if len(got) == 30:
                    break
            assert got == list(range(30))
            await DeviceState(id="7").apublish({"on": True})
            async for message in client.messages:
                assert message.payload == b'{"on":true}'
                break


@VERSIONS
@pytest.mark.parametrize("transport", ["tcp", "websockets"])
async def test_paho(version: Any, transport: Any) -> None:
    """A thread of its own, as paho has it; over a WebSocket as well."""
    async with broker() as fleet:
        got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        put = lambda found: loop.call_soon_threadsafe(got.put_nowait, found)  # noqa: E731
        client: Any = paho.Client(CallbackAPIVersion.VERSION2, "meter", protocol=version, transport=transport)
        client.ws_set_options("/mqtt")
        client.on_message = lambda _, __, message: put((message.topic, message.payload))
        subscribed = asyncio.Event()
        client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
        port = fleet.running.server.addresses[transport == "websockets"][1]
        await asyncio.to_thread(client.connect, "127.0.0.1", int(port))
        client.loop_start()
        try:
            client.subscribe("devices/#", 2)
            await asyncio.wait_for(subscribed.wait(), LONG)
            sent = client.publish("devices/7/bytes", b"\xff" * 100_000, 2)
            await asyncio.to_thread(sent.wait_for_publish, LONG)
            assert await asyncio.wait_for(got.get(), LONG) == ("devices/7/bytes", b"\xff" * 100_000)
            await DeviceState(id="8").apublish(1)
            assert await asyncio.wait_for(got.get(), LONG) == ("devices/8/state", b"1")
        finally:
            client.disconnect()
            client.loop_stop()


async def run(*command: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = await asyncio.wait_for(process.communicate(), LONG)
    return int(process.returncode or 0), output


def at(fleet: Fleet) -> list[str]:
    return ["-h", "127.0.0.1", "-p", str(fleet.port)]


@VERSIONS
async def test_mosquitto_pub_and_sub(version: Any) -> None:
    publish, subscribe = require("mosquitto_pub"), require("mosquitto_sub")
    async with broker() as fleet:
        words = [*at(fleet), "-V", WORDS[version]]
        for qos in "012":
            topic = ["-t", f"devices/{qos}/state"]
            assert await run(publish, *words, *topic, "-q", qos, "-m", f'{{"qos": {qos}}}') == (0, b"")
            page = await ahistory(DeviceState(id=qos))
            assert [entry.data for entry in page.entries] == [{"qos": int(qos)}]
        _, output = await run(subscribe, *words, "-t", "devices/+/state", "-q", "2", "-C", "3", "-v")
        assert sorted(output.splitlines()) == [
            f'devices/{qos}/state {{"qos":{qos}}}'.encode() for qos in range(3)
        ]


@pytest.mark.django_db(transaction=True)
@VERSIONS
async def test_a_user_of_django_and_nobody_else(version: Any) -> None:
    publish = require("mosquitto_pub")
    await get_user_model().objects.acreate_user("ada", password="secret")
    async with broker() as fleet:
        words = [*at(fleet), "-V", WORDS[version], "-q", "1", "-t", "private/ada", "-m", "1"]
        assert await run(publish, *words, "-u", "ada", "-P", "secret") == (0, b"")
        code, output = await run(publish, *words, "-u", "ada", "-P", "wrong")
        assert code
        assert b"bad user name or password" in output.lower()
        page = await ahistory("private/ada")
        assert [entry.data for entry in page.entries] == [1]
        assert page.entries[0].info.user


async def test_a_device_is_known_by_its_certificate(tmp_path: Path) -> None:
    publish = require("mosquitto_pub")
    pair = make_pair(tmp_path)
    device = make_pair(tmp_path, "meter-7", signed_by=pair)

    async def by_certificate(scope: Any, connect: Any) -> Any:
        name = scope["extensions"]["tls"]["client_cert_name"].removeprefix("CN=")
        return get_user_model()(username=name, pk=7)

    router = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker(authenticate=by_certificate))])})
    endpoint = f"{pair.endpoint}:app=mqtt:caCerts={pair.certificate}"
    async with serve(router, endpoints=(endpoint,)) as running:
        port = str(running.server.addresses[0][1])
        files = [
            "--cafile",
            str(pair.certificate),
            "--cert",
            str(device.certificate),
            "--key",
            str(device.key),
        ]
        command = [publish, "-h", "localhost", "-p", port, "-q", "1", "-t", "private/meter-7", "-m", "1"]
        assert await run(*command, *files) == (0, b"")
        page = await ahistory("private/meter-7")
        assert page.entries[0].info.user == "7"


async def test_a_browser_subscribed_to_the_topic_sees_what_a_device_says() -> None:
    async with broker() as fleet:
        page = TopicsCommunicator(URLRouter(websocket_urlpatterns))
        await page.connect()
        await page.subscribe("devices/7/state")
        device = await fleet.connect("meter")
        await device.publish("devices/7/state", b"[1]")
        assert await page.receive_publication() == [1]
        await page.disconnect()


async def test_text_over_a_websocket_ends_the_connection() -> None:
    from websockets.asyncio.client import connect

    async with broker() as fleet:
        port = fleet.running.server.addresses[1][1]
        async with connect(f"ws://127.0.0.1:{port}/mqtt", subprotocols=["mqtt"]) as socket:  # type: ignore[list-item]
            assert socket.subprotocol == "mqtt"
            await socket.send("text")
            await asyncio.wait_for(socket.wait_closed(), LONG)


async def test_a_stop_of_the_server_is_1012_over_a_websocket() -> None:
    """There the close code says it: nothing is written behind it."""
    from websockets.asyncio.client import connect

    late = telemetry.counters["mqtt.late_write"]
    async with broker() as fleet:
        port = fleet.running.server.addresses[1][1]
        async with connect(f"ws://127.0.0.1:{port}/mqtt", subprotocols=["mqtt"]) as socket:  # type: ignore[list-item]
            await socket.send(CONNECT[V5])
            await asyncio.wait_for(socket.recv(), LONG)
            await fleet.running.server.stop()
            await asyncio.wait_for(socket.wait_closed(), LONG)
            assert socket.close_code == 1012
    assert telemetry.counters["mqtt.late_write"] == late
