"""The path for load balancers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from channels.server.config import Config, ConfigError
from channels.server.endpoints.endpoints import ListenError
from channels.server.lifecycle.lifespan import LifespanFailed
from channels.server.processes.supervisor import Supervisor
from channels.server.server import Server
from tests.server.helpers import GET, LONG, UPGRADE, Client, Recorder, echo, eventually, serve
from tests.support.server_programs import COMMAND, ENDPOINTS, Project, supervised

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"


async def asked(probe: Server | None, path: str = "/") -> tuple[int, bytes]:
    """What the health port says."""
    assert probe is not None
    (address,) = probe.addresses
    client = Client(*await asyncio.open_connection(*address))
    try:
        await client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        status, _, body = await client.response()
    finally:
        await client.close()
    return status, body


async def test_it_is_answered_without_the_application() -> None:
    app = Recorder()
    async with serve(app, health_path="/healthz") as running:
        client = await running.connect()
        await client.send(HEALTH)
        status, headers, body = await client.response()
        assert (status, body, headers["cache-control"]) == (200, b"ok\n", "no-store")
        running.runtime.stopping = True
        await client.send(HEALTH)
        status, headers, body = await client.response()
        assert (status, body, headers["connection"]) == (503, b"draining\n", "close")
        running.runtime.stopping = False
        assert app.runs == []


async def test_other_paths_and_websockets_are_the_applications() -> None:
    async with serve(echo, health_path="/ws/") as running:
        client = await running.connect()
        await client.send(HEALTH)
        assert (await client.response())[1]["x-path"] == "/healthz"
        assert " 101 " in await client.upgrade(UPGRADE)


def test_a_path_begins_with_a_slash() -> None:
    with pytest.raises(ConfigError, match="health_path begins with a slash"):
        Config(app=echo, health_path="healthz")


async def test_a_port_of_its_own_is_there_before_the_start_and_until_the_end() -> None:
    go = asyncio.Event()
    app = Recorder()

    async def slow_to_start(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)
        await receive()
        await go.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server = Server(Config(app=slow_to_start, endpoints=tuple(ENDPOINTS), health_port=0, lifespan="on"))
    serving = asyncio.ensure_future(server.serve(signals=False))
    await eventually(lambda: server.probe is not None and server.probe.addresses)
    assert await asked(server.probe) == (503, b"starting\n")
    assert await asked(server.probe, "/live") == (200, b"ok\n")
    go.set()
    await eventually(lambda: server.addresses)
    assert await asked(server.probe, "/ready") == (200, b"ok\n")
    client = Client(*await asyncio.open_connection(*server.addresses[0]))
    await client.send(GET)
    run = await app.next()
    server.ask_to_stop()
    assert await asked(server.probe) == (503, b"draining\n")
    assert await asked(server.probe, "/live") == (200, b"ok\n")
    await run.respond(b"last")
    run.end()
    assert (await client.response())[2] == b"last"
    await client.close()
    await asyncio.wait_for(serving, LONG)
    with pytest.raises(ConnectionRefusedError):
        await asked(server.probe)


async def test_the_port_goes_with_a_start_that_failed() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    server = Server(Config(app=failing, endpoints=tuple(ENDPOINTS), health_port=0))
    with pytest.raises(LifespanFailed):
        await server.start()
    with pytest.raises(ConnectionRefusedError):
        await asked(server.probe)


async def test_a_health_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server(Config(app=echo, endpoints=tuple(ENDPOINTS), health_port=port, lifespan="off"))
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: another program"):
            await server.start()
        assert server._sockets == []


async def test_the_port_answers_requests_only() -> None:
    async with serve(echo, health_port=0) as running:
        (address,) = running.server.probe.addresses
        client = Client(*await asyncio.open_connection(*address))
        assert " 101 " not in await client.upgrade(UPGRADE)
        await client.close()


@pytest.mark.timeout(150)
async def test_under_a_supervisor_the_port_is_the_supervisors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    supervisor = Supervisor(
        [*COMMAND[:-1], "--health-port", "1", COMMAND[-1]], ENDPOINTS, health=("127.0.0.1", 0)
    )
    assert supervisor._obstacle() == "starting"
    async with supervised(supervisor) as office:
        assert await asked(supervisor.probe) == (200, b"ok\n")
        slow = asyncio.ensure_future(office.get(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"))
        await eventually(lambda: "slow" in project.notes())
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: supervisor._stop_asked.is_set())
        assert await asked(supervisor.probe) == (503, b"draining\n")
        assert await asked(supervisor.probe, "/live") == (200, b"ok\n")
        project.go()
        await slow
        assert await office.ended() == 0
    with pytest.raises(ConnectionRefusedError):
        await asked(supervisor.probe)
