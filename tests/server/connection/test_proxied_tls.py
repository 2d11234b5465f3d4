"""A PROXY header, then TLS."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvloop

from channels import telemetry
from tests.server.connection.test_proxy_protocol import LINE, SIGNATURE, V4, binary
from tests.server.helpers import GET, LONG, Client, Recorder, Running, echo, eventually, serve
from tests.support.certificates import Pair, make_pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


async def behind(running: Running, header: bytes, context: ssl.SSLContext, *, drip: bool = False) -> Client:
    """Connect, say the header, and begin TLS."""
    host, port = running.server.addresses[0]
    sock = socket.create_connection((host, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in [header[i : i + 1] for i in range(len(header))] if drip else [header]:
        sock.sendall(piece)
        await asyncio.sleep(0)
    sock.setblocking(False)
    return Client(*await asyncio.open_connection(sock=sock, ssl=context, server_hostname="localhost"))


async def fetch(pair: Pair, header: bytes, **options: Any) -> tuple[Any, Any]:
    """Client and server of a request, as the application sees them."""
    app = Recorder()
    async with serve(app, endpoints=(pair.endpoint,), proxy_protocol=True, **options) as running:
        client = await behind(
            running, header, pair.client("http/1.1"), drip=options.get("head_timeout") is None
        )
        await client.send(GET)
        run = await app.next()
        assert run.scope["scheme"] == "https"
        assert run.scope["extensions"]["tls"]["tls_version"] == 0x0304
        await run.respond(b"safe")
        assert (await client.response())[2] == b"safe"
        run.end()
        await client.close()
        return run.scope["client"], run.scope["server"]


LONG_V2 = binary(0x11, V4[16:28] + bytes(9000))


@pytest.mark.parametrize("header", [LINE, V4, LONG_V2])
@pytest.mark.parametrize("limit", [None, 30.0])
async def test_the_client_is_who_the_proxy_says(pair: Pair, header: bytes, limit: float | None) -> None:
    assert await fetch(pair, header, head_timeout=limit) == (["1.2.3.4", 1111], ["5.6.7.8", 80])


async def test_a_proxy_that_speaks_for_itself(pair: Pair) -> None:
    client, server = await fetch(pair, b"PROXY UNKNOWN\r\n")
    assert (client[0], server[0]) == ("127.0.0.1", "127.0.0.1")


def test_on_uvloop(pair: Pair) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(fetch(pair, LINE))[0] == ["1.2.3.4", 1111]


async def refused(pair: Pair, data: bytes, *, leave: bool = False, **options: Any) -> str:
    """Why a connection that begins with ``data`` ends."""
    reasons: list[str] = []

    def listen(event: str, facts: Any) -> None:
        if event == "server.bad_proxy_header":
            reasons.append(facts["reason"])

    detach = telemetry.attach(listen)
    async with serve(echo, endpoints=(pair.endpoint,), proxy_protocol=True, **options) as running:
        client = await running.connect()
        await client.send(data)
        if leave:
            client.writer.write_eof()
        assert await client.rest() == b""
    detach()
    return reasons[0]


async def test_what_is_refused(pair: Pair) -> None:
    assert "does not begin with a PROXY header" in await refused(pair, GET)
    assert "did not arrive in time" in await refused(pair, b"PROXY ", head_timeout=0.1)
    assert "ended in its header" in await refused(pair, SIGNATURE, leave=True)
    assert "--trusted-proxies" in await refused(pair, LINE, trusted_proxies=("10.0.0.0/8",))


async def test_no_tls_behind_the_header(pair: Pair) -> None:
    app = Recorder()
    async with serve(app, endpoints=(pair.endpoint,), proxy_protocol=True) as running:
        client = await running.connect()
        await client.send(LINE + GET)
        await client.rest()
        assert app.runs == []
        leaver = await running.connect()
        await leaver.send(b"PROXY")
        leaver.reset()
        await eventually(lambda: not running.runtime.arriving)


async def test_stop_does_not_wait_for_a_header(pair: Pair) -> None:
    numbers = len(os.listdir("/proc/self/fd"))
    async with serve(echo, endpoints=(pair.endpoint,), proxy_protocol=True) as running:
        client = await running.connect()
        await client.send(b"PROXY ")
        await eventually(lambda: running.runtime.arriving)
        await asyncio.wait_for(running.server.stop(), LONG)
        assert await client.rest() == b""
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= numbers)


async def test_clients_behind_a_proxy_are_counted_one_by_one(pair: Pair) -> None:
    options: dict[str, Any] = {"proxy_protocol": True, "max_connections_per_address": 1}
    async with serve(echo, endpoints=(pair.endpoint,), **options) as running:
        other = LINE.replace(b"1.2.3.4", b"1.2.3.5")
        clients = [await behind(running, header, pair.client()) for header in (LINE, other)]
        for client in clients:
            await client.send(GET)
            assert (await client.response())[0] == 200
        third = await running.connect()
        await third.send(LINE)
        assert await third.rest() == b""
        for client in clients:
            await client.close()
        await eventually(lambda: not running.runtime.connections)
        assert len(running.runtime.admission.tally) == 0
