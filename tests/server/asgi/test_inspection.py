"""How a WebSocket looks from outside, while it is open and when it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels.server.asgi import inspection
from channels.server.asgi.inspection import Ending, WebSocketFacts, facts_of, keep_endings, watch
from channels.server.asgi.websocket import WebSocketStream
from channels.server.in_thread import ServerThread
from channels.server.server import started_servers


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"] == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "asked"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


@pytest.fixture
def port() -> Iterator[int]:
    keep_endings(2)
    with ServerThread(echo) as server:
        yield server.port
    keep_endings(0)


def in_loop(function: Any) -> Any:
    """Call a function with the WebSocket of the server, in its loop."""

    async def call() -> Any:
        (stream,) = (each for each in server.streams if isinstance(each, WebSocketStream))
        return function(stream)

    (server,) = (each for each in started_servers() if each.streams)
    assert server.loop is not None
    return asyncio.run_coroutine_threadsafe(call(), server.loop).result(20)


def test_an_open_one_is_described_and_can_be_ended(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/a/b?token=secret") as client:
        client.send("one")
        assert client.recv(20) == "one"
        facts: WebSocketFacts = in_loop(facts_of)
        host, peer = client.local_address
        assert (facts.path, facts.client, facts.state) == ("/a/b", [host, peer], "open")
        assert (facts.waiting, facts.unsent, facts.held, facts.http_version) == (0, 0, False, "1.1")
        assert facts.opened >= facts.silent >= 0
        assert in_loop(lambda stream: stream.end(4001, "from outside")) is True
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "from outside")


def test_the_last_endings_are_kept_where_somebody_wants_them(port: int) -> None:
    for number in range(3):
        with connect(f"ws://127.0.0.1:{port}/{number}") as client:
            client.send("bye")
            with pytest.raises(ConnectionClosed):
                client.recv(20)
    with connect(f"ws://127.0.0.1:{port}/last") as client:
        client.send("here")
        client.recv(20)  # so the server has heard of the other's end
    assert inspection.endings is not None
    endings: list[Ending] = [each for each in inspection.endings if each.code == 4000]
    assert len(inspection.endings) <= 2
    assert {each.reason for each in endings} == {"asked"}
    keep_endings(0)
    assert inspection.endings is None


def test_messages_of_one_that_is_watched_are_noted_and_others_pay_nothing(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/watched") as client:
        client.send("not noted")
        client.recv(20)
        plain = in_loop(lambda stream: (type(stream._inbox), type(stream._link)))
        assert in_loop(lambda stream: watch(stream, 0.05)) == []
        client.send("12345")
        assert client.recv(20) == "12345"
        noted = [
            (each.direction, each.kind, each.size) for each in in_loop(lambda stream: watch(stream, 0.05))
        ]
        assert noted == [("in", "text", 5), ("out", "text", 7)]
        facts = in_loop(facts_of)
        assert (facts.http_version, facts.waiting) == ("1.1", 0)
        end = time.monotonic() + 20
        while in_loop(lambda stream: (type(stream._inbox), type(stream._link))) != plain:
            assert time.monotonic() < end
        client.send("after it")
        assert client.recv(20) == "after it"
