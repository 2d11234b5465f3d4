"""Who gets a connection, and whose address it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from tests.server.helpers import GET, Client, Recorder, asked, echo, eventually, serve
from tests.support.certificates import make_pair

PROXY = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"


async def test_a_connection_too_many_is_told_and_closed() -> None:
    before = telemetry.counters["server.connection_refused"]
    async with serve(echo, max_connections=1) as running:
        first = await running.connect()
        await first.send(GET)
        assert (await first.response())[0] == 200
        second = await running.connect()
        assert (await second.rest()).startswith(b"HTTP/1.1 503 ")
        assert telemetry.counters["server.connection_refused"] == before + 1
        await first.close()
        await second.close()
        await eventually(lambda: not running.runtime.connections)
        third = await running.connect()
        await third.send(GET)
        assert (await third.response())[0] == 200


async def test_a_connection_for_which_no_descriptor_is_left_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(echo) as running:
        monkeypatch.setattr(running.runtime, "_last_descriptor", 0)
        client = await running.connect()
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.connections)


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "apart"])
async def test_a_proxy_names_the_client(apart: bool) -> None:
    app = Recorder()
    async with serve(app, proxy_protocol=True, trusted_proxies=["127.0.0.1"]) as running:
        client = await running.connect()
        if apart:
            await client.send(PROXY)
            await client.send(GET)
        else:
            await client.send(PROXY + GET)
        run = await app.next()
        assert run.scope["client"] == ["203.0.113.7", 4711]
        assert run.scope["server"] == ["192.0.2.1", 80]
        await run.respond(b"hello")
        run.end()
        assert (await client.response())[2] == b"hello"


async def test_a_proxy_that_names_nobody_speaks_for_itself() -> None:
    app = Recorder()
    async with serve(app, proxy_protocol=True, trusted_proxies=["127.0.0.1"]) as running:
        client = await running.connect()
        await client.send(b"PROXY UNKNOWN\r\n" + GET)
        run = await app.next()
        assert run.scope["client"][0] == "127.0.0.1"
        await run.respond()
        run.end()


async def test_a_proxy_names_the_client_in_front_of_tls(tmp_path: Path) -> None:
    app, pair = Recorder(), make_pair(tmp_path)
    options: dict[str, Any] = {"proxy_protocol": True, "trusted_proxies": ["127.0.0.1"]}
    async with serve(app, endpoints=(pair.endpoint,), **options) as running:
        client = await running.connect()
        await client.send(PROXY)
        await client.writer.start_tls(pair.client("http/1.1"), server_hostname="localhost")
        client = Client(client.reader, client.writer)
        await client.send(GET)
        run = await app.next()
        assert (run.scope["client"], run.scope["scheme"]) == (["203.0.113.7", 4711], "https")
        await run.respond()
        run.end()
        assert (await client.response())[0] == 200


async def test_without_http2_nothing_is_sniffed(tmp_path: Path) -> None:
    async with serve(echo, http2=False) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200


async def test_a_run_that_outlives_its_peer_keeps_the_place_of_its_connection() -> None:
    async with asked() as (run, client, running):
        client.reset()
        assert (await run.receive())["type"] == "http.request"
        assert (await run.receive())["type"] == "http.disconnect"
        await eventually(lambda: not running.runtime.connections)
        assert running.runtime.streams
        run.end()
        await run.finished.wait()
        await eventually(lambda: not running.runtime.streams)
