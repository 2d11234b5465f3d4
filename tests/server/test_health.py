"""The path for load balancers."""

from __future__ import annotations

import pytest

from channels.server.config import Config, ConfigError
from tests.server.helpers import UPGRADE, Recorder, echo, serve

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"


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
