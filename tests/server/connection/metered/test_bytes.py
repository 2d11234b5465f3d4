"""Connections that count their bytes."""

from __future__ import annotations

import pytest

from channels import telemetry
from channels.server.connection.connection import Connection
from channels.server.connection.metered import MeteredConnection
from tests.server.helpers import GET, echo, eventually, frame, serve


async def test_bytes_are_counted_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "metered", True)
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        (connection,) = running.server._runtime.connections
        assert type(connection) is MeteredConnection
        received, sent = connection.bytes_received, connection.bytes_sent
        for size in (1, 1000, 70_000):
            data = b"x" * size
            await client.send(frame(data))
            await client.message()
            received, sent = received + len(frame(data)), sent + len(frame(data)) - 4  # no mask
            assert (connection.bytes_received, connection.bytes_sent) == (received, sent)
        meter = connection.runtime.meter
        assert (meter.bytes_received, meter.bytes_sent) == (0, 0)
        await client.close()
        await eventually(lambda: not running.server._runtime.connections)
        assert (meter.bytes_received, meter.bytes_sent) == (received, sent)


async def test_without_a_meter_it_is_the_plain_class() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(GET)
        await client.response()
        (connection,) = running.server._runtime.connections
        assert type(connection) is Connection
        await client.close()
