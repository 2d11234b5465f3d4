"""What an MQTT broker does, as metrics show it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from channels import telemetry
from channels.observability.metrics.counting import recorder
from channels.observability.metrics.counting.recorder import Recorder
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import V5, V311, Connect, Publish
from tests.mqtt.client import Fleet, broker
from tests.mqtt.conftest import own_store  # noqa: F401 (fixture)
from tests.observability.metrics.test_traffic import counting, open_ones  # noqa: F401 (fixture)
from tests.protocols.mqtt.cases import CONNECT
from tests.server.helpers import LONG, eventually

Counters = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def unmetered() -> Iterator[Recorder]:
    yield recorder.start("tests", None)
    recorder.stop()


def messages(found: Counters) -> tuple[float, float]:
    """Both ways."""
    return found["mqtt_messages_received_total"][()], found["mqtt_messages_sent_total"][()]


def applications(fleet: Fleet) -> int:
    return len(fleet.running.streams)


async def test_connections_are_mqtt_whatever_carries_them(counting: Recorder) -> None:  # noqa: F811
    from websockets.asyncio.client import connect

    async with broker() as fleet:
        device = await fleet.connect("meter")
        assert open_ones(counting.samples()) == {"mqtt": 1}
        port = fleet.running.server.addresses[1][1]
        async with connect(f"ws://127.0.0.1:{port}/mqtt", subprotocols=["mqtt"]) as page:  # type: ignore[list-item]
            await page.send(CONNECT[V5])
            await asyncio.wait_for(page.recv(), LONG)
            assert open_ones(counting.samples()) == {"mqtt": 2}
        await device.leave()
        await eventually(lambda: not applications(fleet))
        assert open_ones(counting.samples()) == {}


@pytest.mark.parametrize("version", [V311, V5])
async def test_messages_are_counted_while_open_and_after(counting: Recorder, version: int) -> None:  # noqa: F811
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader", version), await fleet.connect("writer", version)
        before = messages(counting.samples().counters)
        await reader.subscribe("devices/+/state")
        await writer.publish("devices/7/state", b"1")
        await writer.send(Publish("devices/7/state", b"2"))
        assert [(await reader.receive()).payload for _ in range(2)] == [b"1", b"2"]
        received, sent = seen = messages(counting.samples().counters)
        assert (received - before[0], sent - before[1]) == (2, 2)  # and no acknowledgement
        await reader.leave()
        await writer.leave()
        await eventually(lambda: not applications(fleet))
        assert messages(counting.samples().counters) == seen


async def test_messages_that_a_client_does_not_get_are_counted_by_reason(counting: Recorder) -> None:  # noqa: F811
    async with broker() as fleet:
        reader = await fleet.connect("reader", properties={"maximum_packet_size": 40})
        writer = await fleet.connect("writer")
        before = messages(counting.samples().counters)
        await reader.subscribe("devices/+/bytes")
        await writer.publish("devices/7/bytes", b"x" * 100)
        await writer.publish("devices/7/bytes", b"short")
        assert (await reader.receive()).payload == b"short"
        found = counting.samples().counters
        assert found["mqtt_messages_dropped_total"] == {("too_large",): 1}
        assert messages(found)[1] - before[1] == 1


def refuse(scope: Any, connect: Any) -> None:
    """Nobody is known."""


def fail(scope: Any, connect: Any) -> None:
    raise LookupError("the directory of devices is away")


async def test_handshakes_are_counted_by_their_result(counting: Recorder) -> None:  # noqa: F811
    def results() -> dict[str, float]:
        found = counting.samples().counters.get("mqtt_handshakes_total", {})
        return {result: number for (result,), number in found.items()}

    async with broker() as fleet:
        await fleet.connect("meter")
        assert results() == {"accepted": 1}
        await (await fleet.open()).leave()
        await eventually(lambda: results() == {"accepted": 1, "left": 1})
        stranger = await fleet.open()
        await stranger.raw(b"GET / HTTP/1.1\r\n\r\n")
        await stranger.reader.read()
        assert results() == {"accepted": 1, "left": 1, "malformed_packet": 1}
    async with broker({"authenticate": refuse}) as fleet:
        answer = await fleet.tried(await fleet.open(), Connect("meter", V5))
        assert answer.reason == Reason.NOT_AUTHORIZED
        assert results()["not_authorized"] == 1
    async with broker({"authenticate": fail}) as fleet:
        device = await fleet.open()
        await device.send(Connect("meter", V5))
        await device.reader.read()
        await eventually(lambda: results().get("failed") == 1)
        assert sum(results().values()) == 5


async def test_without_metrics_no_connection_counts(unmetered: Recorder) -> None:
    assert not telemetry.metered
    async with broker() as fleet:
        await fleet.connect("meter")
        assert open_ones(unmetered.samples()) == {"tcp": 1}
