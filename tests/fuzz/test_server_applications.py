"""Whatever an application sends, in whatever order: it hears of its mistakes as errors that it can expect,
and the peer reads what is HTTP or WebSocket, whole or visibly broken off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.events
import h2.exceptions
import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.fuzz.budget import quick
from tests.server.helpers import LONG, UPGRADE, Running, eventually, serve
from tests.support.http2_client import h2_client

EXPECTED = (ValueError, TypeError, RuntimeError, OSError)
FILE = str(Path(__file__).resolve())

odd = st.sampled_from([None, True, -1, 7, 10**9, 1.5, "text", b"bytes", [], {}, [None], ("a", "b"), object()])
names = st.sampled_from(
    b"x|Content-Length|content-length|transfer-encoding|connection|trailer|date|te||:status|a b|x\r\ny|"
    b"set-cookie|content-type|upgrade|keep-alive".split(b"|")
)
values = st.sampled_from(b"|1|5|5|0|chunked|close|keep-alive|x-sum|a\r\nb: c|\0|\xc3\xbc|-1".split(b"|"))
headers = st.lists(st.tuples(names, values) | st.tuples(names, values).map(list), max_size=3) | odd
bodies = st.sampled_from([b"", b"x", b"12345", bytearray(b"12345"), memoryview(b"1"), b"x" * 70_000]) | odd
statuses = st.sampled_from([200, 200, 200, 204, 304, 404, 500, 999, 101, 103, 1000]) | odd
flags = st.booleans() | odd


def message(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=fields)


def answers(prefix: str) -> list[st.SearchStrategy[dict[str, Any]]]:
    start = message(f"{prefix}.start", headers=headers, trailers=flags)
    return [
        st.tuples(start, statuses).map(lambda pair: {**pair[0], "status": pair[1]}),
        message(f"{prefix}.body", body=bodies, more_body=flags),
    ]


requests = st.lists(
    st.one_of(
        *answers("http.response"),
        *answers("http.response"),
        message("http.response.trailers", headers=headers, more_trailers=flags),
        message("http.response.early_hint", links=st.lists(values, max_size=2) | odd),
        message("http.response.pathsend", path=st.sampled_from([FILE, "/no/such/file", "relative"]) | odd),
        message(
            "http.response.zerocopysend",
            file=st.just("open") | odd,
            offset=st.integers(0, 9999) | odd,
            count=st.integers(0, 9) | odd,
            more_body=flags,
        ),
        message("websocket.send", text=st.just("x")),
        st.just({}),
        st.fixed_dictionaries({"type": odd}),
    ),
    max_size=6,
)
sockets = st.lists(
    st.one_of(
        message("websocket.accept", subprotocol=st.sampled_from([None, "a", "b"]) | odd, headers=headers),
        message("websocket.accept"),
        message("websocket.send", text=st.sampled_from([None, "", "text", "\ud800"]) | odd, bytes=bodies),
        message("websocket.close", code=st.sampled_from([None, 1000, 1005, 4000, 99]) | odd, reason=odd),
        *answers("websocket.http.response"),
        message("http.response.body"),
        st.just({}),
    ),
    max_size=6,
)


class Script:
    """An application that sends what it is told, and ends with the first error or goes on."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.stubborn = False
        self.surprises: list[BaseException] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/plain":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"plain"})
            return
        with open(FILE, "rb") as file:
            for sent in self.messages:
                try:
                    await send({**sent, "file": file} if sent.get("file") == "open" else sent)
                except EXPECTED:
                    if not self.stubborn:
                        raise
                except BaseException as error:
                    self.surprises.append(error)
                    raise


class World:
    """One server for all examples, in a loop of its own."""

    def __init__(self) -> None:
        self.app = Script()
        self.runner = asyncio.Runner()
        self.context = serve(self.app)
        self.running: Running = self.runner.run(self.context.__aenter__())

    def play(self, messages: list[dict[str, Any]], stubborn: bool, scene: Any) -> Any:
        """Let the application send ``messages`` in ``scene``; nothing of it is left behind."""
        self.app.messages, self.app.stubborn = messages, stubborn
        result = self.runner.run(asyncio.wait_for(scene, LONG))
        self.runner.run(eventually(lambda: not self.running.runtime.streams))
        assert self.app.surprises == []
        return result

    def close(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    numbers = len(os.listdir("/proc/self/fd"))
    world = World()
    idle = len(os.listdir("/proc/self/fd"))
    yield world
    world.runner.run(eventually(lambda: not world.running.runtime.connections))
    assert len(os.listdir("/proc/self/fd")) <= idle
    world.close()
    assert len(os.listdir("/proc/self/fd")) <= numbers


async def over_http1(world: World, method: str, fields: list[tuple[str, str]]) -> bytes:
    """Ask, and ask for a plain page behind it; returns all that came until the end."""
    client = h11.Connection(h11.CLIENT)
    head = [("Host", "test"), *fields]
    data = client.send(h11.Request(method=method, target="/", headers=head)) or b""
    second = b"GET /plain HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(*world.running.server.addresses[0])
    writer.write(data + second)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def one_response(client: h11.Connection) -> tuple[int, bytes] | None:
    """What a strict client understands; status 0 if it was broken off, None if nothing came."""
    status, body = 0, b""
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError as error:
            if "peer closed connection without sending complete" not in str(error):
                raise
            return 0, body
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body
        elif isinstance(event, h11.ConnectionClosed):
            return None


def responses(data: bytes, method: str) -> list[tuple[int, bytes]]:
    """The responses to two requests, as far as they came."""
    found: list[tuple[int, bytes]] = []
    for verb in (method, "GET"):
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=verb, target="/", headers=[("Host", "test")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        client.receive_data(b"")
        response = one_response(client)
        if response is not None:
            found.append(response)
        data = client.trailing_data[0]
        if not data:
            break
    return found


@quick
@given(
    requests,
    st.booleans(),
    st.sampled_from(["GET", "HEAD"]),
    st.sampled_from([[], [("TE", "trailers")], [("Connection", "close")]]),
)
def test_over_http1(world: World, messages: Any, stubborn: bool, method: str, fields: Any) -> None:
    data = world.play(messages, stubborn, over_http1(world, method, fields))
    found = responses(data, method)
    assert found
    if len(found) == 2:
        assert found[1] == (200, b"plain")
    if method == "HEAD":
        assert found[0][1] == b""


async def over_http2(world: World, method: str) -> None:
    async with h2_client(world.running) as client:
        head = [(":method", method), (":scheme", "http"), (":authority", "test")]
        first = await client.request([*head, (":path", "/"), ("te", "trailers")])
        await client.until(
            lambda event: (
                isinstance(event, h2.events.StreamEnded | h2.events.StreamReset) and event.stream_id == first
            )
        )
        second = await client.request([(":method", "GET"), *head[1:], (":path", "/plain")])
        assert (await client.response(second))[2] == b"plain"


@quick
@given(requests, st.booleans(), st.sampled_from(["GET", "HEAD"]))
@example(
    [
        {"type": "http.response.start", "status": 200, "headers": [(b"TE", b"")]},
        {"type": "http.response.body"},
    ],
    False,
    "GET",
)
def test_over_http2(world: World, messages: Any, stubborn: bool, method: str) -> None:
    world.play(messages, stubborn, over_http2(world, method))  # the library refuses what is not HTTP/2


async def over_websocket(world: World) -> bytes:
    reader, writer = await asyncio.open_connection(*world.running.server.addresses[0])
    writer.write(UPGRADE)
    data = b""
    try:
        while piece := await reader.read(65_536):
            data += piece
            writer.write(b"\x88\x82\0\0\0\0\x03\xe8")  # whatever it was, goodbye
        return data
    finally:
        writer.close()


@quick
@given(sockets, st.booleans())
@example([{"type": "websocket.accept", "subprotocol": "text"}], False)
def test_over_websocket(world: World, messages: Any, stubborn: bool) -> None:
    data = world.play(messages, stubborn, over_websocket(world))
    client = ClientProtocol(parse_uri("ws://test/ws/"), subprotocols=[Subprotocol("a"), Subprotocol("b")])
    client.key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.send_request(client.connect())
    client.receive_data(data)
    client.receive_eof()
    assert client.handshake_exc is None or isinstance(client.handshake_exc, InvalidHandshake)
    if data.startswith(b"HTTP/1.1 101") and client.handshake_exc is None:
        frames = [event for event in client.events_received() if isinstance(event, Frame)]
        assert client.parser_exc is None or isinstance(client.parser_exc, EOFError), client.parser_exc
        assert client.close_rcvd is not None, frames
    elif not data.startswith(b"HTTP/1.1 101"):  # a subprotocol that was not offered: the client leaves
        assert responses(data, "GET")
