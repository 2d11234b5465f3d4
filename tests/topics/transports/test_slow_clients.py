"""Clients of responses that do not read: what becomes of publications is what their topic says."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest
from django.test import override_settings

from channels import telemetry
from channels.topics import Entry, Topic, presence
from tests.topics.transports.streams import TIMEOUT, Reader

SIZE, AMOUNT = 50_000, 300


class Watched(Topic):
    presence = True

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Newest(Watched):
    pattern = "newest:<slug:name>"
    slow_clients = "latest"


class Recent(Watched):
    pattern = "recent:<slug:name>"
    slow_clients = "oldest"


class Every(Watched):
    pattern = "every:<slug:name>"
    slow_clients = "disconnect"


class Rendered(Watched):
    pattern = "rendered:<slug:name>"
    slow_clients = "latest"

    async def render(self, publication: Entry, user: Any, request: Any) -> str:
        return json.dumps(publication.data)


class RenderedRecent(Watched):
    pattern = "rendered-recent:<slug:name>"
    slow_clients = "oldest"
    render = Rendered.render


def small_window(address: Any) -> socket.socket:
    """A socket that takes little while nobody reads."""
    found = socket.socket(address[0], address[1], address[2])
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    return found


class Slow:
    """A client that reads when the test says so.

    Args:
        address: of the server.
        kind: of the transport.
        topic: which it wants.
    """

    def __init__(self, address: str, kind: str, topic: str) -> None:
        self._kind = kind
        self._method, self._url, self._body = "GET", f"{address}/sse/?topic={topic}", ""
        if kind != "sse":
            self._method, self._url = "POST", f"{address}/connection/{kind}"
            self._body = json.dumps({"subs": {topic: {}}})

    async def __aenter__(self) -> Slow:
        connector = aiohttp.TCPConnector(socket_factory=small_window)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2 * SIZE)
        response = await self._session.request(self._method, self._url, data=self._body or None)
        self._reader = Reader(response)
        await self.numbers(1)  # what the stream begins with
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._session.close()

    async def numbers(self, until: int) -> list[int]:
        """Read publications, up to a number or to something else; returns their numbers."""
        found: list[int] = []
        while until not in found:
            text = await self._reader.line() if self._kind == "uni_http_stream" else await self._event()
            said = json.loads(text)
            data = said.get("pub", {}).get("data") if self._kind != "sse" else said
            if not data or "number" not in data:
                break
            found.append(data["number"])
        return found

    async def _event(self) -> str:
        return (await self._reader.event()).data


async def flood(topic: Topic) -> None:
    """Publish far more than fits between server and client."""
    for number in range(AMOUNT):
        await topic.apublish({"number": number, "padding": "x" * SIZE})
        if number % 20 == 0:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("sse", Newest(name="a")),
        ("sse", Recent(name="a")),
        ("sse", Rendered(name="a")),
        ("sse", RenderedRecent(name="a")),
        ("uni_sse", Newest(name="b")),
        ("uni_http_stream", Recent(name="b")),
    ],
    ids=lambda value: str(value),
)
async def test_a_client_that_reads_again_has_the_newest_and_stays(
    address: str, kind: str, topic: Topic
) -> None:
    counter = f"topics.slow_client_{'replaced' if topic.slow_clients == 'latest' else 'dropped'}"
    before = telemetry.counters[counter]
    with override_settings(CHANNELS_TOPICS={"MAX_QUEUE_SIZE": 4 * SIZE}):
        async with Slow(address, kind, str(topic)) as client:
            await flood(topic)
            async with asyncio.timeout(TIMEOUT):
                while telemetry.counters[counter] == before:
                    await asyncio.sleep(0.01)
            found = await client.numbers(until=AMOUNT - 1)
            assert found == sorted(found)
            assert found[-1] == AMOUNT - 1
            assert len(found) < AMOUNT
            await topic.apublish({"number": AMOUNT})
            assert await client.numbers(until=AMOUNT) == [AMOUNT]


@pytest.mark.parametrize("kind", ["sse", "uni_sse"])
async def test_a_client_of_a_topic_that_counts_is_cut_off(address: str, kind: str) -> None:
    with override_settings(CHANNELS_TOPICS={"MAX_QUEUE_SIZE": 4 * SIZE}):
        async with Slow(address, kind, "every:a"):
            await flood(Every(name="a"))
            async with asyncio.timeout(TIMEOUT):
                while presence("every:a"):
                    await asyncio.sleep(0.01)
