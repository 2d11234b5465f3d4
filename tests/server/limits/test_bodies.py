"""How much of request bodies applications may hold, each and together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.server.config import Config
from channels.server.limits.bodies import HeldBodies
from channels.server.proxies.trusted_proxies import TrustedProxies
from tests.server.helpers import LONG, Client, Recorder, Run, Running, echo, eventually, serve
from tests.support.http2_client import POST, h2_client

PART = 1000
OPTIONS: dict[str, Any] = {"request_buffer_size": PART}


def head(length: int, more: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: test\r\n{more}Content-Length: {length}\r\n\r\n".encode()


async def uploading(running: Running, app: Recorder, size: int, more: str = "") -> tuple[Client, Run]:
    """A client that has sent ``size`` bytes of a body that goes on, and the application that holds them."""
    client = await running.connect()
    await client.send(head(10 * size, more) + bytes(size))
    run = await app.next()
    taken = 0
    async with asyncio.timeout(LONG):
        while taken < size:
            message = await run.receive()
            if message["type"] == "http.disconnect":
                break
            taken += len(message["body"])
    return client, run


async def end(running: Running, *runs: Run) -> None:
    for run in runs:
        run.end()
    await eventually(lambda: not running.server.streams)


def test_what_is_not_said_is_meant_for_the_open_internet() -> None:
    config = Config(app=echo)
    assert config.max_body_size == 100 * 2**20
    assert config.max_bodies_size == 2**30
    bodies = HeldBodies(config, TrustedProxies(["93.184.215.15"]))
    assert bodies.take(["93.184.215.14", 1], 2**28) is None
    assert bodies.take(["93.184.215.14", 2], 1) == "address"
    assert bodies.take(["93.184.215.15", 1], 2**28 + 1) is None  # a proxy
    assert bodies.take(["127.0.0.1", 1], 2**28 + 1) is None
    assert bodies.take(None, 2**28) == "total"
    assert bodies.take(None, 2**28 - 2) is None
    bodies.give_back(["93.184.215.14", 1], 2**28)
    assert bodies.take(["93.184.215.14", 2], 1) is None


def test_no_limit_counts_nothing_against_anybody() -> None:
    bodies = HeldBodies(Config(app=echo, max_bodies_size=0), None)
    assert bodies.take(["93.184.215.14", 1], 2**40) is None
    bodies.give_back(["93.184.215.14", 1], 2**40)
    assert bodies.size == 0


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_bodies_size": 10 * PART}, "total"),
        ({"max_bodies_size_per_address": 10 * PART}, "address"),
    ],
)
async def test_stalled_uploads_together(limits: dict[str, Any], reason: str) -> None:
    app, heard = Recorder(), []
    detach = telemetry.attach(lambda event, facts: heard.append((event, facts.get("reason"))))
    async with serve(app, **OPTIONS, **limits) as running:
        _, first = await uploading(running, app, 5 * PART)
        _, second = await uploading(running, app, 5 * PART)
        third, refused = await uploading(running, app, 2 * PART)
        status, headers, _ = await third.response()
        assert (status, headers["connection"]) == (503, "close")
        assert ("server.body_refused", reason) in heard
        small = await running.connect()
        await small.send(head(PART) + bytes(PART))  # fits into one part, which nobody puts on a disk
        run = await app.next()
        await run.respond()
        assert (await small.response())[0] == 200
        run.end()
        await end(running, first, second, refused)
        assert running.runtime.bodies.size == 0
        fourth, last = await uploading(running, app, 5 * PART)
        await last.respond()
        assert (await fourth.response())[0] == 200
        await end(running, last)
    detach()


async def test_a_body_counts_until_the_application_has_ended() -> None:
    app = Recorder()
    async with serve(app, **OPTIONS, max_bodies_size=10 * PART) as running:
        client, run = await uploading(running, app, 10 * PART)
        client.reset()
        assert (await run.receive())["type"] == "http.disconnect"
        assert running.runtime.bodies.size == 10 * PART
        await end(running, run)
        assert running.runtime.bodies.size == 0


async def test_behind_a_proxy_its_clients_are_counted() -> None:
    app = Recorder()
    options = {"trusted_proxies": ("127.0.0.1",), "proxy_address_header": "X-Forwarded-For"}
    async with serve(app, **OPTIONS, **options, max_bodies_size_per_address=5 * PART) as running:
        _, first = await uploading(running, app, 4 * PART, "X-Forwarded-For: 1.2.3.4\r\n")
        _, other = await uploading(running, app, 4 * PART, "X-Forwarded-For: 1.2.3.5\r\n")
        client, again = await uploading(running, app, 4 * PART, "X-Forwarded-For: 1.2.3.4\r\n")
        assert (await client.response())[0] == 503
        await end(running, first, other, again)


@pytest.mark.usefixtures("both_engines")
async def test_over_http2() -> None:
    app = Recorder()
    async with serve(app, **OPTIONS, max_bodies_size=4 * PART) as running, h2_client(running) as client:
        streams = [await client.request(POST, end=False) for _ in range(3)]
        runs = [await app.next() for _ in range(3)]
        for stream, run in zip(streams[:2], runs, strict=False):
            await client.send(stream, bytes(2 * PART))
            await run.receive()
        await client.send(streams[2], bytes(2 * PART))
        assert (await client.head(streams[2]))[":status"] == "503"
        assert (await runs[2].receive())["type"] == "http.disconnect"
        await end(running, *runs)
