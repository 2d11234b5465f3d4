"""TCP connections of many workers behind one socket: a rolling restart says goodbye to each of them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from channels.server.processes.supervisor import Supervisor
from tests.server.helpers import LONG, eventually, records
from tests.support.server_programs import Project, supervised

pytestmark = pytest.mark.timeout(150)

ENDPOINT = "tcp:port=0:interface=127.0.0.1:app=meters"
COMMAND = [sys.executable, "-m", "daphne", "-v", "0", "--drain-timeout", "4", "-e", ENDPOINT, "served:app"]
APP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "tcp":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "tcp.accept"})
    await send({"type": "tcp.send", "data": b"VERSION\\n"})
    while (event := await receive())["type"] == "tcp.receive":
        await send({"type": "tcp.send", "data": event["data"]})
    if event["type"] == "tcp.drain":
        await send({"type": "tcp.send", "data": b"back soon\\n"})
        await send({"type": "tcp.close"})
"""


async def test_a_rolling_restart_says_goodbye_and_new_code_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "channels.server")
    project = Project(tmp_path)
    project.replace(APP.replace("VERSION", "one"))
    async with supervised(Supervisor(COMMAND, [ENDPOINT], workers=2), workers=2) as office:
        clients = [await office.open() for _ in range(10)]
        assert [await client.until(b"\n") for client in clients] == [b"one\n"] * 10
        await clients[0].send(b"ping\n")
        assert await clients[0].until(b"\n") == b"ping\n"
        project.replace(APP.replace("VERSION", "two"))
        office.supervisor.ask_to_renew()
        goodbyes = await asyncio.wait_for(asyncio.gather(*(client.rest() for client in clients)), 5 * LONG)
        assert goodbyes == [b"back soon\n"] * 10
        for client in clients:
            await client.close()
        await eventually(lambda: "All workers are replaced." in records(caplog, 0))
        client = await office.open()
        assert await client.until(b"\n") == b"two\n"
        await client.close()
