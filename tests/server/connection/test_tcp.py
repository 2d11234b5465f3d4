"""The shell of a connection to an endpoint with ``app=``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels.server.connection.connection import Connection
from channels.server.connection.tcp import TCPConnection
from tests.server.helpers import Recorder, serve
from tests.support.certificates import make_pair


def test_it_says_nothing_to_one_too_many_where_http_says_503() -> None:
    assert Connection.too_many.startswith(b"HTTP/1.1 503")
    assert TCPConnection.too_many == b""


async def test_lifespan_state_is_in_the_scope_as_a_copy() -> None:
    app, states = Recorder(), []

    async def with_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["pool"] = 1
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        states.append(scope["state"])
        await app(scope, receive, send)

    endpoint = "tcp:port=0:interface=127.0.0.1:app=meters/one"
    async with serve(with_lifespan, endpoints=(endpoint,), lifespan="on") as running:
        await running.connect()
        run = await app.next()
        assert run.scope["path"] == "/meters/one"
        assert states == [{"pool": 1}]
        run.end()


@pytest.mark.parametrize("header", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nonsense\r\n"])
async def test_without_a_proxy_header_nothing_runs(header: bytes) -> None:
    app = Recorder()
    endpoint = ("tcp:port=0:interface=127.0.0.1:app=meters",)
    async with serve(app, endpoints=endpoint, proxy_protocol=True) as running:
        client = await running.connect()
        await client.send(header)
        assert await client.rest() == b""
    assert app.runs == []


async def test_a_proxy_header_in_front_of_tls(tmp_path: Path) -> None:
    pair, app = make_pair(tmp_path), Recorder()
    endpoint = f"{pair.endpoint}:app=meters"
    async with serve(app, endpoints=(endpoint,), proxy_protocol=True) as running:
        reader, writer = await asyncio.open_connection(*running.server.addresses[0])
        writer.write(b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 9000\r\n")
        await writer.drain()
        await writer.start_tls(pair.client(), server_hostname="localhost")
        run = await app.next()
        assert run.scope["client"] == ["203.0.113.7", 5555]
        assert run.scope["extensions"]["tls"]["client_cert_name"] is None
        run.end()
        assert await reader.read() == b""
        writer.close()


async def test_a_unix_socket(tmp_path: Path) -> None:
    app = Recorder()
    async with serve(app, endpoints=(f"unix:{tmp_path}/meters:app=meters",)) as running:
        client = await running.connect()
        run = await app.next()
        await run.receive()
        await run.send({"type": "tcp.accept"})
        await client.send(b"one")
        assert await run.receive() == {"type": "tcp.receive", "data": b"one"}
        assert run.scope["client"] is None
        run.end()
