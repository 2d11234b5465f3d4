"""What goes through connections of each protocol, as metrics show it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import telemetry
from channels.observability.metrics.counting import recorder
from channels.observability.metrics.counting.recorder import Recorder
from channels.observability.metrics.samples import Samples
from tests.server.helpers import GET, UPGRADE, echo, eventually, frame, serve
from tests.server.helpers import Recorder as Application

TCP = ("tcp:port=0:interface=127.0.0.1:app=meters",)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setattr(telemetry, "metered", True)
    yield recorder.start("tests", None)
    recorder.stop()


def open_ones(found: Samples) -> dict[str, float]:
    return {protocol: number for (protocol,), number in found.gauges["connections"].items() if number}


def traffic(found: Samples) -> tuple[float, float]:
    counters = found.counters
    return counters["network_receive_bytes_total"][()], counters["network_transmit_bytes_total"][()]


def messages(found: Samples) -> tuple[float, float]:
    counters = found.counters
    return counters["websocket_messages_received_total"][()], counters["websocket_messages_sent_total"][()]


async def test_bytes_of_tcp_are_counted_both_ways(counting: Recorder) -> None:
    app = Application()
    async with serve(app, endpoints=TCP) as running:
        device = await running.connect()
        run = await app.next()
        await run.receive()
        await run.send({"type": "tcp.accept"})
        before = traffic(counting.samples())
        await device.send(b"twelve bytes")
        assert (await run.receive())["data"] == b"twelve bytes"
        await run.send({"type": "tcp.send", "data": b"seven b"})
        assert await device.read(7) == b"seven b"
        received, sent = traffic(counting.samples())
        assert (received - before[0], sent - before[1]) == (12, 7)
        assert open_ones(counting.samples()) == {"tcp": 1}
        await run.send({"type": "tcp.close"})
        await device.close()
        run.end()
        await eventually(lambda: not running.server._runtime.streams)
        assert traffic(counting.samples()) == (received, sent)


async def test_connections_are_counted_by_what_they_speak(counting: Recorder) -> None:
    app = Application()
    async with serve(app) as running:
        asking, talking = await running.connect(), await running.connect()
        await asking.send(GET)
        await (await app.next()).respond()
        await asking.response()
        await talking.send(UPGRADE)
        run = await app.next()
        await run.accept()
        await talking.until(b"\r\n\r\n")
        assert open_ones(counting.samples()) == {"http/1.1": 1, "websocket": 1}
        for each in app.runs:
            each.end()
        await asking.close()
        await talking.close()


async def test_messages_and_bytes_of_websockets_are_counted_while_open_and_after(counting: Recorder) -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        before, earlier = traffic(counting.samples()), messages(counting.samples())
        for _ in range(3):
            await client.send(frame(b"hello"))
            await client.message()
        seen = counting.samples()
        await client.close()
        await eventually(lambda: not running.server._runtime.streams)
        for found in (seen, counting.samples()):
            assert messages(found) == (earlier[0] + 3, earlier[1] + 3)
            assert traffic(found) == (before[0] + 33, before[1] + 21)
