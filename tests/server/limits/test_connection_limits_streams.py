"""Streams of HTTP/2 that one address has open at the same time, over all its connections."""

from __future__ import annotations

from typing import Any

import pytest

from channels import telemetry
from channels.server.config import Config
from channels.server.limits.connection_limits import ConnectionLimits
from channels.server.proxies.trusted_proxies import TrustedProxies
from tests.server.helpers import Recorder, echo, eventually, serve
from tests.server.limits.test_abandoned_runs import end, is_refused, is_served
from tests.support.http2_client import CONNECT, h2_client


@pytest.mark.usefixtures("both_engines")
async def test_an_address_has_a_number_of_streams_over_all_its_connections() -> None:
    app = Recorder()
    before = telemetry.counters["server.stream_refused"]
    async with serve(app, http2_max_streams_per_address=3) as running:
        async with h2_client(running) as first, h2_client(running) as second:
            await first.request()
            await first.request(CONNECT)
            await second.request()
            runs = [await app.next() for _ in range(3)]
            assert await is_refused(first)
            assert await is_refused(second)
            assert len(app.runs) == 3
            assert telemetry.counters["server.stream_refused"] == before + 2
            await runs[0].respond()
            await end(runs[0])
            assert await is_served(second, app)
        await eventually(lambda: not running.runtime.connections)
        assert len(running.runtime.admission.streams) == 0
        async with h2_client(running) as third:
            assert await is_served(third, app)
        await end(*runs[1:])


async def test_a_stream_that_is_refused_for_its_body_has_no_place() -> None:
    limits: dict[str, Any] = {"http2_max_streams_per_address": 1, "max_body_size": 10}
    async with serve(echo, **limits) as running, h2_client(running) as client:
        for _ in range(3):
            stream = await client.request([*_POST, ("content-length", "11")], end=False)
            assert (await client.response(stream))[0] == 413
            await eventually(lambda: len(running.runtime.admission.streams) == 0)


_POST = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]


@pytest.mark.parametrize(
    ("options", "host", "counted"),
    [
        ({}, "8.8.8.8", True),
        ({}, "127.0.0.1", False),
        ({"max_connections_per_address": 5}, "127.0.0.1", True),
        ({"http2_max_streams_per_address": 5}, "127.0.0.1", True),
        ({"http2_max_streams_per_address": 0}, "8.8.8.8", False),
        ({"max_connections_per_address": 0}, "8.8.8.8", False),
        ({}, "10.1.2.3", False),
    ],
)
def test_whose_streams_are_counted(options: dict[str, Any], host: str, counted: bool) -> None:
    admission = ConnectionLimits(Config(app=echo, **options), TrustedProxies(["10.0.0.0/8"]))
    assert admission.counts_streams([host, 1]) is counted
    assert not admission.counts_streams(None)


def test_an_address_of_the_open_internet_has_four_for_each_connection() -> None:
    streams = ConnectionLimits(Config(app=echo, max_connections=100_000)).streams
    assert [streams.enter("8.8.8.8") for _ in range(4001)].count(True) == 4000
    assert streams.enter("8.8.4.4")
