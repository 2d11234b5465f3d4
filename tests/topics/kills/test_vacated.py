"""The process of a topic's last client is killed: one of the others tells that the topic is vacated."""

from __future__ import annotations

import re

import pytest

from tests.layers.size import FULL
from tests.support.redis_servers import RedisServer
from tests.topics.kills.processes import machine
from tests.topics.raw_client import raw_client

# Processes start, and a lease has to end.
pytestmark = pytest.mark.timeout(300 if FULL else 120)

OCCUPIED, VACATED = re.compile("occupied crowd"), re.compile("vacated crowd")


@pytest.mark.parametrize("store", ["host", "redis"])
async def test_a_topic_whose_last_process_is_killed_is_vacated_once(store: str) -> None:
    if store == "host":
        await follow("")
        return
    with RedisServer() as server:
        await follow(server.url)


async def follow(redis: str) -> None:
    async with machine(redis) as found:
        first = await found.node()
        async with raw_client(found.port) as last:
            await last.connect()
            await last.ask(subscribe={"channel": "crowd"})
            await first.says(OCCUPIED)
            await first.kill()
        second, third = await found.node(), await found.node()
        async with raw_client(found.port) as one, raw_client(found.port) as two:
            for client in (one, two):  # so that a node that has clients, or both, look for it
                await client.connect()
            said = await found.either_says(VACATED, second, third)
            assert said == 1
            await one.ask(subscribe={"channel": "crowd"})
            await one.ask(unsubscribe={"channel": "crowd"})
            assert await found.either_says(VACATED, second, third, times=2) == 2, "Each time it is told once."
