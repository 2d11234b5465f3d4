"""How much a client that comes back gets at once, and what it is told where that is too much."""

from __future__ import annotations

from typing import Any

import pytest

from tests.topics.raw_client import RawClient, raw_client
from tests.topics.topics_for_tests import Room


async def recovered(client: RawClient, topic: str, offset: int, epoch: str) -> dict[str, Any]:
    request = {"channel": topic, "recover": True, "offset": offset, "epoch": epoch}
    result: dict[str, Any] = (await client.ask(subscribe=request))["subscribe"]
    return result


async def position(port: int, topic: str) -> tuple[int, str]:
    """Subscribe and leave; returns where that was."""
    async with raw_client(port) as client:
        await client.connect()
        result = (await client.ask(subscribe={"channel": topic}))["subscribe"]
        return result.get("offset", 0), result["epoch"]


@pytest.mark.parametrize(("missed", "recovers"), [(5, True), (6, False)])
async def test_a_project_says_how_many_are_recovered(
    port: int, settings: Any, missed: int, recovers: bool
) -> None:
    settings.CHANNELS_TOPICS = {"RECOVERY_LIMIT": 5}
    start = await position(port, "room:many")
    for number in range(missed):
        await Room(name="many").apublish(number)
    async with raw_client(port) as client:
        await client.connect()
        result = await recovered(client, "room:many", *start)
        assert result["was_recovering"]
        assert result.get("recovered", False) is recovers
        assert len(result.get("publications", ())) == (missed if recovers else 0)


@pytest.mark.parametrize("together", [False, True], ids=["one topic", "several in one frame"])
async def test_what_is_more_than_may_wait_is_not_recovered(port: int, settings: Any, together: bool) -> None:
    """Else it would be cut off as a slow client, come back, and be cut off again, for ever."""
    settings.CHANNELS_TOPICS = {"MAX_QUEUE_SIZE": 100_000}
    topics = ["room:large", "room:larger", "room:largest"][: 3 if together else 1]
    starts = [await position(port, topic) for topic in topics]
    for topic in topics:
        for _ in range(6 if together else 20):
            await Room(name=topic.removeprefix("room:")).apublish("x" * 10_000)
    async with raw_client(port) as client:
        await client.connect()
        results = [
            await recovered(client, topic, *start) for topic, start in zip(topics, starts, strict=True)
        ]
        assert [each["was_recovering"] for each in results] == [True] * len(topics)
        assert ("publications" in results[0]) is together
        await Room(name="large").apublish("live")
        assert (await client.next())["push"]["pub"]["data"] == "live"
