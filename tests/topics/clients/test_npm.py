"""The client of npm in node, over each of its transports, against our server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import Topic, disconnect, unsubscribe, websocket_urlpatterns
from tests.support import programs
from tests.topics.topics_for_tests import Document, Room

TIMEOUT = 10.0
TRANSPORTS = ("websocket", "http_stream", "sse")


class Npm:
    """A client in a process of node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen: list[dict[str, Any]] = []

    async def do(self, action: str, **details: Any) -> Any:
        """Have it do something; returns what came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"action": action, **details}).encode() + b"\n")
        answer = await self.told("done", "failed")
        return answer["result"] if answer["event"] == "done" else answer

    async def told(self, *events: str) -> dict[str, Any]:
        """Wait for one of these events; others are kept for whoever asks for them later."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                for index, seen in enumerate(self._seen):
                    if seen["event"] in events:
                        return self._seen.pop(index)
                assert self._process.stdout is not None
                line = await self._process.stdout.readline()
                assert line, f"The client ended; it told {self._seen}."
                self._seen.append(json.loads(line))


@pytest.fixture(scope="module")
def packages() -> Path:
    return programs.require_npm_packages("centrifuge@5.8.0", "eventsource@4.1.0", "ws@8.18.3")


@pytest.fixture
def port() -> Iterator[int]:
    with override_settings(ROOT_URLCONF="tests.topics.urls"):
        app = ProtocolTypeRouter(
            {"http": get_asgi_application(), "websocket": URLRouter(websocket_urlpatterns)}
        )
        with ServerThread(app) as server:
            yield server.port


@asynccontextmanager
async def npm(packages: Path, port: int, transport: str) -> AsyncIterator[Npm]:
    scheme = "ws" if transport == "websocket" else "http"
    address = f"{scheme}://127.0.0.1:{port}/connection/{transport}"
    options = {
        "transports": [{"transport": transport, "endpoint": address}],
        "emulation": f"http://127.0.0.1:{port}/emulation",
    }
    process = await asyncio.create_subprocess_exec(
        programs.require("node"),
        str(Path(__file__).with_name("npm_client.mjs")),
        str(packages),
        json.dumps(options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Npm(process)
    finally:
        process.kill()
        await process.wait()


async def subscribed(client: Npm, topic: str, **settings: Any) -> None:
    await client.do("connect")
    await client.do("subscribe", topic=topic, settings=settings)
    await client.told("subscribed")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_transport_publishes_reads_and_recovers(packages: Path, port: int, transport: str) -> None:
    async with npm(packages, port, transport) as client:
        await subscribed(client, "room:open")
        assert (await client.told("connected"))["transport"] == transport
        Room(name="open").publish({"from": "server"})
        assert (await client.told("publication"))["data"] == {"from": "server"}
        await client.do("publish", topic="room:open", data={"from": "client"})
        assert await client.told("publication") == {
            "event": "publication",
            "data": {"from": "client"},
            "offset": 2,
        }
        page = await client.do("history", topic="room:open", settings={"limit": 10})
        assert [each["offset"] for each in page["publications"]] == [1, 2]
        assert await client.do("rpc", method="add", data={"numbers": [1, 2]}) == {"data": 3}
        await client.do("disconnect")
        for number in range(10):
            Room(name="open").publish(number)
        await client.do("connect")
        assert (await client.told("subscribed"))["recovered"]
        assert [(await client.told("publication"))["data"] for _ in range(10)] == list(range(10))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_who_comes_and_goes_is_told(packages: Path, port: int, transport: str) -> None:
    async with npm(packages, port, transport) as client:
        await subscribed(client, "room:visited", joinLeave=True)
        own = (await client.told("join"))["client"]
        async with npm(packages, port, transport) as other:
            await subscribed(other, "room:visited")
            visitor = (await client.told("join"))["client"]
            present = await client.do("presence", topic="room:visited")
            assert set(present["clients"]) == {own, visitor}
        assert (await client.told("leave"))["client"] == visitor


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_server_ends_subscriptions_and_connections(
    packages: Path, port: int, transport: str
) -> None:
    async with npm(packages, port, transport) as client:
        await subscribed(client, "room:ended")
        unsubscribe("", "room:ended")
        assert (await client.told("unsubscribed"))["code"] == 2000
        disconnect("")
        assert await client.told("disconnected") == {
            "event": "disconnected",
            "code": 3503,
            "reason": "force disconnect",
        }


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_patches_become_documents_again(packages: Path, port: int, transport: str) -> None:
    async with npm(packages, port, transport) as client:
        await subscribed(client, "document:2", delta="fossil")
        for number in range(3):
            document = {"text": "lorem ipsum dolor sit amet, consectetur " * 20, "ä": number}
            topic: Topic = Document(number=2)
            topic.publish(document)
            assert (await client.told("publication"))["data"] == document
