"""Accepting: with TLS, and when there is no descriptor left, in a process that may open few files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from channels import telemetry
from channels.server.accept import acceptor as module
from tests.server.helpers import GET, LONG, Client, echo, eventually, records, serve
from tests.support.certificates import Pair, make_pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def refused() -> int:
    return telemetry.counters["server.connection_refused"]


@pytest.mark.parametrize("option", ["max_connections", "max_connections_per_address"])
async def test_a_handshake_that_never_ends_is_a_connection(option: str, pair: Pair) -> None:
    before = refused()
    async with serve(echo, endpoints=(pair.endpoint,), **{option: 2}) as running:
        silent = [await running.connect() for _ in range(2)]
        await eventually(lambda: len(running.runtime.arriving) == 2)
        assert await (await running.connect()).rest() == b""
        assert refused() == before + 1
        await silent[0].close()
        await eventually(lambda: len(running.runtime.arriving) == 1)
        host, port = running.server.addresses[0]
        late = Client(*await asyncio.open_connection(host, port, ssl=pair.client("http/1.1")))
        await late.send(GET)
        assert (await late.response())[0] == 200
        assert await (await running.connect()).rest() == b""
        await late.close()
        await eventually(lambda: not running.runtime.connections)
        await silent[1].close()
    assert len(running.runtime.admission.tally) == 0
    assert not running.runtime.arriving


async def test_handshakes_that_fail_are_counted(pair: Pair) -> None:
    before = telemetry.counters["server.tls_failed"]
    async with serve(echo, endpoints=(pair.endpoint,), tls_timeout=0.2) as running:
        garbage, silent = await running.connect(), await running.connect()
        await garbage.send(GET)
        await garbage.rest()
        assert await silent.rest() == b""
        await eventually(lambda: telemetry.counters["server.tls_failed"] == before + 2)
        assert len(running.runtime.arriving) == 0


async def test_handshakes_under_way_end_with_the_server(pair: Pair) -> None:
    options = {"endpoints": (pair.endpoint,), "drain_timeout": 0.2, "drain_idle_timeout": 0.1}
    async with serve(echo, **options) as running:
        client = await running.connect()
        await eventually(lambda: len(running.runtime.arriving) == 1)
        await asyncio.wait_for(running.server.stop(), LONG)
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.arriving)


BEHIND_PROXY = {"proxy_protocol": True, "trusted_proxies": ("127.0.0.1",)}


async def test_behind_a_proxy_the_address_that_it_names_is_counted(pair: Pair) -> None:
    before, context = refused(), pair.client("http/1.1")
    options = {"endpoints": (pair.endpoint,), "max_connections_per_address": 1, **BEHIND_PROXY}
    async with serve(echo, **options) as running:
        first, second, other = [await running.connect() for _ in range(3)]
        for client, host in ((first, b"1.2.3.4"), (second, b"1.2.3.4"), (other, b"5.6.7.8")):
            await client.send(b"PROXY TCP4 " + host + b" 127.0.0.1 1 2\r\n")
            if client is second:
                assert await client.rest() == b""
                continue
            await client.writer.start_tls(context, server_hostname="localhost")
            await client.send(GET)
            assert (await client.response())[0] == 200
        assert refused() == before + 1
        assert len(running.runtime.connections) == 2
        for client in (first, other):
            await client.close()


async def test_a_proxy_that_leaves_before_it_has_said_for_whom_it_came_harms_nobody(pair: Pair) -> None:
    async with serve(echo, endpoints=(pair.endpoint,), **BEHIND_PROXY) as running:
        silent = await running.connect()
        await eventually(lambda: len(running.runtime.arriving) == 1)
        await silent.close()
        await eventually(lambda: not running.runtime.arriving)
        assert not running.runtime.connections


async def test_headers_under_way_end_with_the_server(pair: Pair) -> None:
    limits = {"drain_timeout": 0.2, "drain_idle_timeout": 0.1}
    async with serve(echo, endpoints=(pair.endpoint,), **limits, **BEHIND_PROXY) as running:
        client = await running.connect()
        await eventually(lambda: len(running.runtime.arriving) == 1)
        await asyncio.wait_for(running.server.stop(), LONG)
        assert await client.rest() == b""


async def test_while_no_file_can_be_opened_nobody_is_accepted_and_then_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In this process; below, the same in one that has no descriptors left."""
    monkeypatch.setattr(module, "PAUSE", 0.05)
    before = telemetry.counters["server.accept_failed"]
    async with serve(echo) as running:
        client = await running.connect()
        await eventually(lambda: running.runtime.connections)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        host, port = running.server.addresses[0]
        waiting = socket.create_connection((host, int(port)))
        lowest = waiting.fileno()
        await eventually(lambda: len(running.runtime.connections) == 2)
        late = socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            late.connect((host, int(port)))
            await eventually(lambda: telemetry.counters["server.accept_failed"] > before)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await eventually(lambda: len(running.runtime.connections) == 3)
        waiting.close()
        late.close()
        await client.close()
    assert "Connections cannot be accepted" in records(caplog)[0]


#: A server that may open 100 files. Its application tells its counters.
PROGRAM = """
import asyncio, json, resource, sys
from channels import telemetry
from channels.server.config import Config
from channels.server.loops import new_event_loop
from channels.server.server import Server

async def app(scope, receive, send):
    body = json.dumps(telemetry.counters).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

async def main(server):
    serving = asyncio.ensure_future(server.serve())
    while not server.addresses:
        await asyncio.sleep(0.01)
    print(server.addresses[0][1], flush=True)
    await serving

resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
endpoint = "tcp:port=0:interface=127.0.0.1"
config = Config(app=app, endpoints=(endpoint,), lifespan="off", max_connections=90, drain_timeout=0.1)
loop = new_event_loop(sys.argv[1])
loop.run_until_complete(main(Server(config)))
"""


class Poor:
    """A server with few descriptors, and clients for it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        self.clients.append(client)
        return client

    async def counters(self, client: Client) -> dict[str, int]:
        await client.send(GET)
        return dict(json.loads((await client.response())[2]))


@contextlib.asynccontextmanager
async def poor(loop: str) -> AsyncIterator[Poor]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, loop), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    server = Poor(int(await asyncio.wait_for(process.stdout.readline(), LONG)))
    try:
        yield server
    finally:
        for client in server.clients:
            await client.close()
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), LONG)
    # Said once, with the remedy, not once for each connection.
    assert errors.decode().count("ulimit -n") <= 2, errors.decode()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_last_descriptors_are_not_for_connections(loop: str) -> None:
    async with poor(loop) as server:
        first = await server.connect()
        assert "server.connection_refused" not in await server.counters(first)
        for _ in range(100):
            await server.connect()
        lost = server.clients[-1]
        assert await lost.rest() == b""
        counted = await server.counters(first)
        assert 10 <= counted["server.connection_refused"] <= 40
        assert "server.accept_failed" not in counted
        for client in server.clients[1:50]:
            await client.close()
        await eventually_served(server)


async def eventually_served(server: Poor) -> None:
    """The server has noticed that others have left."""
    async with asyncio.timeout(LONG):
        while True:
            client = await server.connect()
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await server.counters(client)
                return


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nothing can be opened in this process; what is open stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/dev/null") as lowest:
        free = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def failed() -> int:
    return telemetry.counters["server.accept_failed"]


async def test_without_a_descriptor_it_waits_and_does_not_spin(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.05)
    before, loop = failed(), asyncio.get_running_loop()
    async with serve(echo) as running:
        talking = await running.connect()
        with socket.socket() as waiting:
            waiting.setblocking(False)
            with no_descriptor_left():
                await loop.sock_connect(waiting, running.server.addresses[0])
                while failed() < before + 3:
                    await talking.send(GET)
                    assert (await talking.response())[0] == 200
            # One failure for each pause, not one for each turn of the loop.
            assert failed() < before + 10
            await loop.sock_sendall(waiting, GET)
            assert (await asyncio.wait_for(loop.sock_recv(waiting, 100), LONG)).startswith(b"HTTP/1.1 200")
    (line,) = [line for line in records(caplog) if "cannot be accepted" in line]
    assert "ulimit -n" in line


async def test_a_server_may_stop_while_it_waits_for_a_descriptor() -> None:
    before = failed()
    async with serve(echo) as running:
        with socket.socket() as waiting:
            waiting.setblocking(False)
            with no_descriptor_left():
                await asyncio.get_running_loop().sock_connect(waiting, running.server.addresses[0])
                await eventually(lambda: failed() == before + 1)
                await asyncio.wait_for(running.server.stop(), LONG)
