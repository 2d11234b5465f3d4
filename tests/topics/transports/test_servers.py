"""Streams of topics under each ASGI server: they begin, go on, end, and are noticed to be gone."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.support.ports import free_port
from tests.support.served import environment, served
from tests.topics.transports.served_settings import CHANNELS_TOPICS
from tests.topics.transports.streams import TIMEOUT, opened

APPLICATION = "tests.topics.transports.served_app:application"
COMMANDS = {
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}", APPLICATION],
    "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", APPLICATION],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", APPLICATION],
    "granian": ["granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", APPLICATION],
}
HERE = [name for name in COMMANDS if importlib.util.find_spec(name)]
ROOT = Path(__file__).parents[3]


class Served:
    """A server, and its API."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port
        self.url = f"http://127.0.0.1:{port}"

    async def api(self, method: str, **request: Any) -> Any:
        headers = {"X-API-Key": str(CHANNELS_TOPICS["API_KEY"])}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/api/{method}", json=request) as response,
        ):
            answer = await response.json()
            assert "result" in answer, answer
            return answer["result"]

    async def publish(self, channel: str, data: Any) -> None:
        await self.api("publish", channel=channel, data=data)

    async def until_present(self, channel: str, amount: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while (await self.api("presence_stats", channel=channel))["num_clients"] != amount:
                await asyncio.sleep(0.05)


def errors_in(log: str) -> set[str]:
    """What tracebacks end with. A stream is cut by cancelling it, which Django 6 hands to the server."""
    return set(re.findall(r"^((?:\w+\.)*\w*(?:Error|Exception))\b", log, re.MULTILINE))


@pytest.fixture(scope="module", params=HERE)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server; when it has stopped, its log must hold no other error than that of a stream that was cut."""
    port = free_port()
    log = tmp_path_factory.mktemp(request.param) / "log"
    command = [word.format(port=port) for word in COMMANDS[request.param]]
    with served(command, port, folder=ROOT, log=log, env=environment(PYTHONPATH=str(ROOT))):
        yield Served(request.param, port)
    text = log.read_text()
    assert errors_in(text) <= {"asyncio.exceptions.CancelledError", "CancelledError"}, text
    assert "Task was destroyed" not in text, text


async def test_an_event_stream_lives_and_is_resumed(server: Served) -> None:
    url = f"{server.url}/sse/?topic=room:resumed"
    async with opened(url) as stream:
        await stream.named("ready")
        await server.publish("room:resumed", 1)
        event = await stream.event()
        assert event.data == "1"
        await stream.comment()  # by which it is kept alive
    await server.publish("room:resumed", 2)
    async with opened(url, headers={"Last-Event-ID": event.id}) as stream:
        await stream.named("ready")
        assert (await stream.event()).data == "2"
    await server.until_present("room:resumed", 0)


async def test_an_end_for_good_is_told_and_one_for_now_is_a_cut(server: Served) -> None:
    url = f"{server.url}/sse/?topic=room:ended"
    async with opened(url) as stream:
        await stream.named("ready")
        await server.api("disconnect", user="")
        assert json.loads((await stream.named("close")).data)["code"] == 3503
        await stream.end()
    async with opened(url) as stream:
        await stream.named("ready")
        await server.api("disconnect", user="", disconnect={"code": 3011, "reason": "later"})
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.end()


@pytest.mark.parametrize("path", ["sse/?topic=room:cut", "connection/uni_sse", "connection/uni_http_stream"])
async def test_a_client_that_is_cut_off_is_not_present_any_more(server: Served, path: str) -> None:
    body = b"" if path.startswith("sse") else json.dumps({"subs": {"room:cut": {}}}).encode()
    method = "POST" if body else "GET"
    head = f"{method} /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head + body)
    await server.until_present("room:cut", 1)
    assert b"200" in await reader.readline()
    writer.transport.abort()
    await server.until_present("room:cut", 0)


async def test_a_websocket_that_only_listens(server: Served) -> None:
    async with connect(f"ws://127.0.0.1:{server.port}/connection/uni_websocket") as websocket:
        await websocket.send(json.dumps({"subs": {"room:heard": {}}}))
        assert "room:heard" in json.loads(await websocket.recv())["connect"]["subs"]
        for number in range(3):
            await server.publish("room:heard", number)
        found = [push for push in [json.loads(await websocket.recv()) for _ in range(3)] if push]
        assert [push["pub"]["data"] for push in found] == list(range(len(found)))
        await server.api("disconnect", user="", disconnect={"code": 4500, "reason": "over"})
        while "disconnect" not in (push := json.loads(await websocket.recv())):
            pass
        assert push["disconnect"]["code"] == 4500
        await websocket.wait_closed()
        assert websocket.close_code == 4500


@pytest.mark.parametrize("path", ["sse/?topic=room:slow", "connection/uni_http_stream"])
async def test_a_client_that_does_not_read_is_given_up_and_others_are_served(
    server: Served, path: str
) -> None:
    body = b"" if path.startswith("sse") else json.dumps({"subs": {"room:slow": {}}}).encode()
    method = "POST" if body else "GET"
    head = f"{method} /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(head + body)
        await server.until_present("room:slow", 1)
        async with asyncio.timeout(60):
            while (await server.api("presence_stats", channel="room:slow"))["num_clients"]:
                await server.publish("room:slow", "x" * 60_000)
        async with opened(f"{server.url}/sse/?topic=room:fast") as stream:
            await stream.named("ready")
            await server.publish("room:fast", 1)
            assert (await stream.event()).data == "1"


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("POST", "sse/?topic=room:a", 0, 405),
        ("OPTIONS", "sse/?topic=room:a", 0, 204),
        ("OPTIONS", "connection/uni_http_stream", 0, 204),
        ("POST", "connection/uni_sse", 65_537, 413),
        ("POST", "api/publish", 2_000_000, 413),
        ("GET", "api/publish", 0, 405),
    ],
)
async def test_bad_requests_are_refused(
    server: Served, method: str, path: str, size: int, status: int
) -> None:
    headers = {"X-API-Key": str(CHANNELS_TOPICS["API_KEY"])}
    async with opened(f"{server.url}/{path}", method, headers=headers, data=b" " * size or None) as reader:
        assert reader.response.status == status
