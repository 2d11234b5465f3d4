"""What a server has beside it: ports of its own for health and metrics, and a look at its loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels.server.config import Config
from channels.server.endpoints.endpoints import ListenError
from channels.server.server import Server, started_servers
from channels.typing import Receive, Scope, Send
from tests.server.helpers import GET, Client, echo, records, serve
from tests.support.certificates import make_pair

ENDPOINTS = ("tcp:port=0:interface=127.0.0.1",)


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"figures"})


async def fetch(server: Server | None, path: bytes) -> tuple[int, bytes]:
    assert server is not None
    client = Client(*await asyncio.open_connection(*server.addresses[0]))
    await client.send(GET.replace(b" / ", b" %b " % path))
    status, _, body = await client.response()
    await client.close()
    return status, body


async def test_health_and_metrics_have_ports_of_their_own() -> None:
    config = Config(
        app=echo, endpoints=ENDPOINTS, lifespan="off", health_port=0, metrics_port=0, metrics_app=metrics
    )
    server = Server(config)
    await server.start()
    try:
        assert await fetch(server.probe, b"/ready") == (200, b"ok\n")
        assert (await fetch(server.metrics, b"/metrics"))[1] == b"figures"
        server.ask_to_drain()
        assert server.draining
        assert await fetch(server.probe, b"/ready") == (503, b"draining\n")
    finally:
        await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await fetch(server.probe, b"/ready")


async def test_what_gives_away_what_is_guarded_elsewhere_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo, trusted_proxies=["127.0.0.1"], http2_upgrade=True):
        (warning,) = records(caplog)
        assert "upgrade" in warning.lower()


async def test_without_a_limit_nobody_watches_the_loop() -> None:
    async with serve(echo, loop_held_limit=0) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200


async def test_servers_are_known_from_their_start_to_their_end() -> None:
    stranger = Server(Config(app=echo, endpoints=ENDPOINTS))
    assert (stranger.loop, stranger.streams, stranger.statistics()) == (None, [], {})
    async with serve(echo) as running:
        assert running.server in started_servers()
        assert running.server.loop is asyncio.get_running_loop()
        assert running.server.streams == []
    assert running.server not in started_servers()
    await running.server.stop()  # once more: there is nothing left to do


def test_it_serves_on_uvloop(tmp_path: Path) -> None:
    uvloop: Any = pytest.importorskip("uvloop")

    async def run() -> list[int]:
        answers = []
        for endpoint in (*ENDPOINTS, f"unix:{tmp_path / 'socket'}"):
            async with serve(echo, endpoints=(endpoint,)) as running:
                client = await running.connect()
                await client.send(GET)
                answers.append((await client.response())[0])
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [200, 200]


async def test_a_metrics_port_in_use_leaves_nothing_behind() -> None:
    async with serve(echo) as running:
        port = int(running.server.addresses[0][1])
        config = Config(
            app=echo,
            endpoints=ENDPOINTS,
            health_port=0,
            metrics_port=port,
            metrics_app=metrics,
            lifespan="off",
        )
        server = Server(config)
        with pytest.raises(ListenError, match="another program"):
            await server.start()
        assert server.addresses == []
        with pytest.raises(ConnectionRefusedError):
            await fetch(server.probe, b"/live")


async def test_it_serves_over_tls(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        client = await running.connect(pair.client("http/1.1"))
        await client.send(GET)
        assert (await client.response())[0] == 200
