"""A page says by another request that it has gone: its worker may be frozen before it closes its socket."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

import tests.topics.topics_for_tests  # noqa: F401  # the topics exist
from tests.topics.raw_client import raw_client
from tests.topics.transports.conftest import address  # noqa: F401  # a fixture


async def post(site: str, **request: Any) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{site}/emulation", data=json.dumps(request)) as response,
    ):
        return response.status


async def test_an_empty_frame_with_the_secret_ends_the_connection(address: str) -> None:  # noqa: F811  # the fixture
    port = int(address.rpartition(":")[2])
    async with raw_client(port, path="/connection/websocket?session=1") as client:
        result = await client.connect()
        secret = {"session": result["session"], "node": result["node"]}
        command = json.dumps({"id": 9, "subscribe": {"channel": "room:a"}})
        assert await post(address, **secret, data=command) == 204  # commands come by the WebSocket only
        assert await post(address, session="another", node=result["node"], data="") == 204
        assert "history" in await client.ask(history={"channel": "room:a"})
        assert await post(address, **secret, data="") == 204
        assert (await client.closed())[0] == 3000
        assert await post(address, **secret, data="") == 204


async def test_who_does_not_ask_for_it_has_no_secret(address: str) -> None:  # noqa: F811  # the fixture
    async with raw_client(int(address.rpartition(":")[2])) as client:
        assert not {"session", "node"} & (await client.connect()).keys()
