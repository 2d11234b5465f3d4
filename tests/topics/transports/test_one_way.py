"""Centrifugo's unidirectional transports, by raw clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import quote

import pytest
from django.test import override_settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from channels.topics import disconnect, presence, unsubscribe
from tests.topics.topics_for_tests import Price, Room
from tests.topics.transports.streams import TIMEOUT, Reader, opened

KINDS = ["uni_sse", "uni_http_stream", "uni_websocket"]


class Pushes(Protocol):
    async def next(self) -> dict[str, Any]: ...
    async def end(self) -> int: ...


class Streamed:
    """Pushes of an event stream, or of lines."""

    def __init__(self, reader: Reader, events: bool) -> None:
        self._reader, self._events = reader, events

    async def next(self) -> dict[str, Any]:
        text = (await self._reader.event()).data if self._events else await self._reader.line()
        found: dict[str, Any] = json.loads(text)
        return found

    async def end(self) -> int:
        code = int((await self.next())["disconnect"]["code"])
        await self._reader.end()
        return code


class Messages:
    """Pushes of a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT):
            found: dict[str, Any] = json.loads(await self._socket.recv())
            return found

    async def end(self) -> int:
        code = int((await self.next())["disconnect"]["code"])
        with pytest.raises(ConnectionClosed):
            await self.next()
        assert self._socket.close_code == code
        return code


@asynccontextmanager
async def listening(address: str, kind: str, request: Any) -> AsyncIterator[Pushes]:
    """Open a transport with a ConnectRequest."""
    url, text = f"{address}/connection/{kind}", json.dumps(request)
    if kind == "uni_websocket":
        async with connect(url.replace("http", "ws", 1)) as socket:
            await socket.send(text)
            yield Messages(socket)
    else:
        async with opened(url, "POST", data=text) as reader:
            assert reader.response.status == 200
            yield Streamed(reader, events=kind == "uni_sse")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_what_a_client_wants_and_may_have_is_pushed_to_it(address: str, kind: str) -> None:
    wanted: dict[str, Any] = {"room:a": {}, "room:b": {}, "room:secret": {}, "nowhere": {}}
    async with listening(address, kind, {"subs": wanted}) as pushes:
        connected = (await pushes.next())["connect"]
        assert connected["subs"].keys() == {"room:a", "room:b"}
        assert connected["client"]
        assert connected["session"]
        assert connected["ping"] == 25
        assert "pong" not in connected
        assert "node" not in connected
        assert [info.client for info in presence("room:a").values()] == [connected["client"]]
        for number in range(3):
            Room(name="a").publish(number)
        found = [await pushes.next() for _ in range(3)]
        assert [(each["channel"], each["pub"]["data"]) for each in found] == [("room:a", n) for n in range(3)]


async def test_texts_have_ends_of_lines_of_every_kind(address: str, kind: str) -> None:
    text = "a\u2028b\u2029c\x85d\ne\rf"
    async with listening(address, kind, {"subs": {"room:a": {}}}) as pushes:
        await pushes.next()
        Room(name="a").publish(text)
        assert (await pushes.next())["pub"]["data"] == text


async def test_what_was_missed_is_in_the_first_push(address: str, kind: str) -> None:
    async with listening(address, kind, {"subs": {"room:a": {}}}) as pushes:
        position = (await pushes.next())["connect"]["subs"]["room:a"]
    Room(name="a").publish("missed")
    recover = {"recover": True, "epoch": position["epoch"], "offset": position.get("offset", 0)}
    async with listening(address, kind, {"subs": {"room:a": recover}}) as pushes:
        found = (await pushes.next())["connect"]["subs"]["room:a"]
        assert found["recovered"]
        assert [each["data"] for each in found["publications"]] == ["missed"]
        Room(name="a").publish("live")
        assert (await pushes.next())["pub"]["data"] == "live"


async def test_the_end_is_told(address: str, kind: str) -> None:
    async with listening(address, kind, {"subs": {"room:a": {}}}) as pushes:
        await pushes.next()
        unsubscribe("", "room:a")
        push = await pushes.next()
        assert (push["channel"], push["unsubscribe"]["code"]) == ("room:a", 2000)
        disconnect("")
        assert await pushes.end() == 3503


async def test_pings_need_no_answer(address: str, kind: str) -> None:
    with override_settings(CHANNELS_TOPICS={"PING_INTERVAL": 2, "PONG_TIMEOUT": 1}):
        async with listening(address, kind, {}) as pushes:
            assert (await pushes.next())["connect"]["ping"] == 2
            for _ in range(2):
                assert await pushes.next() == {}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"token": "no token"}, 3500),
        ({"subs": {f"room:n{number}": {} for number in range(129)}}, 3505),
    ],
)
async def test_an_error_to_connect_is_a_disconnect(address: str, kind: str, request_: Any, code: int) -> None:
    async with listening(address, kind, request_) as pushes:
        assert await pushes.end() == code


async def test_who_has_gone_is_not_present(address: str, kind: str) -> None:
    async with listening(address, kind, {"subs": {"room:a": {}}}) as pushes:
        await pushes.next()
        assert presence("room:a")
    async with asyncio.timeout(TIMEOUT):
        while presence("room:a"):
            await asyncio.sleep(0.02)


async def test_a_cache_gives_its_newest_publication(address: str, kind: str) -> None:
    Price(symbol="abc").publish(7)
    async with listening(address, kind, {"subs": {"price:abc": {}}}) as pushes:
        found = (await pushes.next())["connect"]["subs"]["price:abc"]
        assert [each["data"] for each in found["publications"]] == [7]


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_the_request_may_stand_in_the_address(address: str, scheme: str) -> None:
    query = "cf_connect=" + quote(json.dumps({"subs": {"room:a": {}}}))
    if scheme == "http":
        async with opened(f"{address}/connection/uni_sse?{query}") as reader:
            assert "room:a" in (await Streamed(reader, events=True).next())["connect"]["subs"]
        return
    async with connect(f"{address.replace('http', 'ws', 1)}/connection/uni_websocket?{query}") as socket:
        assert "room:a" in (await Messages(socket).next())["connect"]["subs"]


async def test_who_wants_nothing_is_connected_all_the_same(address: str) -> None:
    async with opened(f"{address}/connection/uni_sse") as reader:
        assert (await Streamed(reader, events=True).next())["connect"]["client"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "uni_sse", b"{", 400),
        ("POST", "uni_http_stream", b"[]", 400),
        ("POST", "uni_sse", b" " * 65_537, 413),
        ("POST", "uni_http_stream", b" " * 65_537, 413),
        ("GET", "uni_http_stream", None, 405),
        ("PUT", "uni_sse", b"{}", 405),
        ("OPTIONS", "uni_http_stream", None, 204),
        ("OPTIONS", "uni_sse", None, 204),
    ],
)
async def test_what_is_no_request_is_refused(
    address: str, method: str, path: str, body: bytes | None, status: int
) -> None:
    async with opened(f"{address}/connection/{path}", method, data=body) as reader:
        assert reader.response.status == status


@pytest.mark.parametrize(("text", "code"), [("{", 3501), ('{"subs": 1}', 3501), (" " * 65_537, 1009)])
async def test_a_message_that_is_no_request_ends_a_websocket(address: str, text: str, code: int) -> None:
    async with connect(f"{address.replace('http', 'ws', 1)}/connection/uni_websocket") as socket:
        await socket.send(text)
        assert await Messages(socket).end() == code


async def test_what_a_websocket_says_later_is_passed_over(address: str) -> None:
    async with connect(f"{address.replace('http', 'ws', 1)}/connection/uni_websocket") as socket:
        await socket.send('{"subs": {"room:a": {}}}')
        pushes = Messages(socket)
        await pushes.next()
        await socket.send("whatever")
        Room(name="a").publish(1)
        assert (await pushes.next())["pub"]["data"] == 1
