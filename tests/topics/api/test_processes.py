"""The API over processes that share a Redis: what one is asked, all do; the dead are soon forgotten."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.layers.redis.conftest import server  # noqa: F401 (fixture)
from tests.support.ports import free_port
from tests.support.served import environment, served
from tests.topics.raw_client import raw_client
from tests.topics.transports.served_settings import CHANNELS_TOPICS

ROOT = Path(__file__).parents[3]
APPLICATION = "tests.topics.transports.served_app:application"


class Process:
    """One of the servers."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process

    async def api(self, method: str, **request: Any) -> Any:
        headers = {"X-API-Key": str(CHANNELS_TOPICS["API_KEY"])}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"http://127.0.0.1:{self.port}/api/{method}", data=json.dumps(request)) as response,
        ):
            return (await response.json())["result"]


@pytest.fixture
async def processes(server: Any, tmp_path: Path) -> AsyncIterator[list[Process]]:  # noqa: F811
    extra = {
        "TOPICS_REDIS": "redis://{}:{}".format(*server.address),
        "TOPICS_PREFIX": uuid.uuid4().hex,
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:
        found = []
        for number in range(2):
            port = free_port()
            command = ["daphne", "-b", "127.0.0.1", "-p", str(port), "--drain-timeout", "0", APPLICATION]
            log = tmp_path / f"log{number}"
            entered = served(command, port, folder=ROOT, log=log, env=environment(**extra))
            found.append(Process(port, stack.enter_context(entered)))
        yield found


async def test_what_one_is_asked_all_do(processes: list[Process]) -> None:
    asked, other = processes
    async with raw_client(other.port) as client:
        await client.connect()
        await client.ask(subscribe={"channel": "room:lobby"})
        assert await asked.api("channels") == {"channels": {"room:lobby": {"num_clients": 1}}}
        nodes = (await asked.api("info"))["nodes"]
        assert sorted(node["num_clients"] for node in nodes) == [0, 1]
        await asked.api("publish", channel="room:lobby", data={"from": "elsewhere"})
        assert (await client.next())["push"]["pub"]["data"] == {"from": "elsewhere"}
        await asked.api("subscribe", user="", channel="room:secret", data="invited")
        assert (await client.next())["push"]["subscribe"]["data"] == "invited"
        await asked.api("disconnect", user="")
        assert await client.closed() == (3503, "force disconnect")


async def test_a_process_that_was_killed_is_forgotten(processes: list[Process]) -> None:
    asked, other = processes
    async with raw_client(other.port) as client:
        await client.connect()
        while len((await asked.api("info"))["nodes"]) < 2:
            await asyncio.sleep(0.1)
        other.process.kill()
        other.process.wait()
        began = time.monotonic()
        assert len((await asked.api("info"))["nodes"]) == 1
        assert time.monotonic() - began < 5
    async with asyncio.timeout(30):
        while True:  # until it is not waited for any more
            began = time.monotonic()
            assert len((await asked.api("info"))["nodes"]) == 1
            if time.monotonic() - began < 0.9:
                break
