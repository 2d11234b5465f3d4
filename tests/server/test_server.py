"""Starting, serving and stopping one process's server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from channels.server.config import Config
from channels.server.endpoints.endpoints import ListenError
from channels.server.lifecycle.lifespan import LifespanFailed
from channels.server.server import Server
from tests.server.helpers import (
    GET,
    LONG,
    UPGRADE,
    Recorder,
    asked,
    close_frame,
    echo,
    eventually,
    opened,
    records,
    serve,
)


def server(app: Any = echo, **options: Any) -> Server:
    values = {"endpoints": ("tcp:port=0:interface=127.0.0.1",), "lifespan": "off", "drain_timeout": 5.0}
    return Server(Config(app=app, **{**values, **options}))


async def test_several_endpoints_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with serve(echo, endpoints=("tcp:port=0:interface=127.0.0.1", f"unix:{path}")) as running:
        tcp, unix = running.server.addresses
        assert unix == path
        for opening in (asyncio.open_connection(*tcp), asyncio.open_unix_connection(path)):
            reader, writer = await opening
            writer.write(GET)
            assert (await asyncio.wait_for(reader.readline(), LONG)).startswith(b"HTTP/1.1 200 ")
            writer.close()
    assert not os.path.exists(path)


async def test_an_inherited_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outer:
        number = os.dup(outer.fileno())
        async with serve(echo, endpoints=(f"fd:fileno={number}",)) as running:
            client = await running.connect()
            await client.send(GET)
            assert (await client.response())[0] == 200


async def test_a_port_in_use_leaves_nothing_behind() -> None:
    async with serve(echo) as running:
        host, port = running.server.addresses[0]
        other = server(endpoints=("tcp:port=0:interface=127.0.0.1", f"tcp:port={port}:interface={host}"))
        with pytest.raises(ListenError, match="another program"):
            await other.start()
        assert other.addresses == []


async def test_a_failed_startup_leaves_nothing_behind() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    failing = server(app, lifespan="auto")
    with pytest.raises(LifespanFailed, match="no database"):
        await failing.start()
    assert failing._sockets == []


async def test_lifespan_surrounds_the_requests() -> None:
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                event = (await receive())["type"]
                log.append(event)
                scope["state"]["answer"] = 42
                await send({"type": f"{event}.complete"})
        else:
            log.append(str(scope["state"]["answer"]))
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    async with serve(app, lifespan="on") as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200
    assert log == ["lifespan.startup", "42", "lifespan.shutdown"]


async def test_stopping_lets_a_request_finish_and_closes_idle_connections() -> None:
    app = Recorder()
    async with serve(app) as running:
        idle, busy = await running.connect(), await running.connect()
        await busy.send(GET)
        run = await app.next()
        await eventually(lambda: len(running.runtime.connections) == 2)
        stopping = asyncio.ensure_future(running.server.stop())
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await running.connect()
        await run.respond(b"finished")
        run.end()
        status, headers, body = await busy.response()
        assert (status, headers["connection"], body) == (200, "close", b"finished")
        await asyncio.wait_for(stopping, LONG)
        await running.server.stop()
        assert running.server.statistics()["connections"] == 0
        assert running.server.statistics()["applications"] == 0


async def test_stopping_closes_websockets_with_1012_and_tells_their_consumers() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        connecting = await running.connect()
        await connecting.send(UPGRADE)
        undecided = await app.next()
        stopping = asyncio.ensure_future(running.server.stop())
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xf4")
        await client.send(close_frame(1012))
        event = await run.receive()
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1012)
        run.end()
        assert (await connecting.response())[0] == 503
        undecided.end()
        await asyncio.wait_for(stopping, LONG)


async def test_what_does_not_end_in_time_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(b"GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n", drain_timeout=0.2) as (run, _, running):
        await running.server.stop()
        assert run.finished.is_set()
        assert running.server.statistics()["applications"] == 0
    (line,) = records(caplog)
    assert "GET /stuck" in line


async def test_what_ignores_its_cancellation_is_left_and_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.server.lifecycle.drain.LAST_MOMENT", 0.2)
    let_go = asyncio.Event()

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async with serve(stubborn, drain_timeout=0.1) as running:
        client = await running.connect()
        await client.send(GET)
        await eventually(lambda: running.runtime.streams)
        await running.server.stop()
        assert "ignores its cancellation" in records(caplog)[-1]
        let_go.set()
        await eventually(lambda: not running.runtime.streams)


async def test_serve_until_asked_to_stop() -> None:
    own = server()
    ready = asyncio.Event()
    serving = asyncio.ensure_future(own.serve(ready.set, signals=False))
    await asyncio.wait_for(ready.wait(), LONG)
    own.ask_to_stop()
    await asyncio.wait_for(serving, LONG)
    assert own.statistics()["connections"] == 0


async def test_a_second_request_to_stop_does_not_wait() -> None:
    app = Recorder()
    own = server(app, drain_timeout=None)
    ready = asyncio.Event()
    serving = asyncio.ensure_future(own.serve(ready.set, signals=False))
    await asyncio.wait_for(ready.wait(), LONG)
    _, writer = await asyncio.open_connection(*own.addresses[0])
    writer.write(GET)
    await app.next()
    own.ask_to_stop()
    await asyncio.sleep(0.05)
    assert not serving.done()
    own.ask_to_stop()
    await asyncio.wait_for(serving, LONG)
    writer.close()


async def test_signals_stop_it() -> None:
    own = server()
    ready = asyncio.Event()
    serving = asyncio.ensure_future(own.serve(ready.set))
    await asyncio.wait_for(ready.wait(), LONG)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, LONG)


async def test_stopping_what_never_started() -> None:
    own = server()
    await own.stop()
    assert own.statistics() == {}


async def test_no_date_twice_in_a_second() -> None:
    async with serve(echo) as running:
        first = running.runtime.own_headers()
        assert running.runtime.own_headers()[0][1] is first[0][1]
