"""A server that is told to stop: before it serves, gently, and at once."""

from __future__ import annotations

import asyncio
import logging

import pytest

from channels.server.config import Config
from channels.server.server import Server
from channels.typing import Receive, Scope, Send
from tests.server.helpers import GET, LONG, Client, Recorder, eventually

ENDPOINTS = ("tcp:port=0:interface=127.0.0.1",)


async def test_a_start_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "channels.server")
    begun = asyncio.Event()

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    server = Server(Config(app=never, endpoints=ENDPOINTS, lifespan="on"))
    serving = asyncio.ensure_future(server.serve(signals=False))
    await asyncio.wait_for(begun.wait(), LONG)
    server.ask_to_stop()
    await asyncio.wait_for(serving, LONG)
    assert server.addresses == []
    assert "The start was given up: the server is told to stop." in caplog.messages


@pytest.mark.parametrize("gently", [True, False])
async def test_a_request_that_runs_is_waited_for_only_if_it_may_end(gently: bool) -> None:
    app = Recorder()
    config = Config(app=app, endpoints=ENDPOINTS, lifespan="off", drain_timeout=LONG, drain_idle_timeout=0)
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(signals=False))
    await eventually(lambda: server.addresses)
    client = Client(*await asyncio.open_connection(*server.addresses[0]))
    await client.send(GET)
    run = await app.next()
    if gently:
        server.ask_to_drain()
        server.ask_to_drain()
        await run.respond(b"last")
        run.end()
        assert (await client.response())[2] == b"last"
        await client.close()
    else:
        server.ask_to_end()
        await asyncio.wait_for(run.finished.wait(), LONG)
    await asyncio.wait_for(serving, LONG)
    await client.close()
