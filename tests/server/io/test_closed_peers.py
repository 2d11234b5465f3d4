"""A peer that closes is noticed, whatever it has sent before and whoever is behind."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.server.connection import reading
from channels.server.in_thread import ServerThread
from channels.server.io import timer_wheel
from channels.server.io.closed_peers import SPARE, ClosedPeers
from channels.typing import Message, Receive, Scope, Send
from tests.server.helpers import (
    GET,
    LONG,
    UPGRADE,
    Recorder,
    Running,
    close_frame,
    eventually,
    frame,
    opened,
    serve,
)
from tests.support.certificates import make_pair
from tests.support.http2_client import CONNECT, h2_client
from tests.support.http2_client import POST as POST_2

#: Seconds within which a close has to be noticed.
SOON = 2.0
POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: "
#: More than the server reads ahead of a request's turn.
MUCH = GET * 3000
WS = [("uvloop", "zttp"), ("asyncio", "h11")]
EACH = pytest.mark.parametrize(("loop", "engine"), [*WS, ("uvloop", "h11"), ("asyncio", "zttp")])
LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])


@pytest.fixture(autouse=True)
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at connections five times as often as a server does."""
    monkeypatch.setattr(timer_wheel, "RESOLUTION", 0.05)


class Pages:
    """An application whose runs wait for the test, in the server's thread.

    Attributes:
        events: what the runs have received.
        ended: one item for each run that has ended.
        go: lets those who hold back begin to receive.
    """

    def __init__(self, *, held: bool = False, answer: bool = False) -> None:
        self.events: queue.Queue[Message] = queue.Queue()
        self.ended: queue.Queue[None] = queue.Queue()
        self.begun: queue.Queue[None] = queue.Queue()
        self.go = threading.Event()
        self._held = held
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
            self.begun.put(None)
            while self._held and not self.go.is_set():
                await asyncio.sleep(0.01)
            while not (message := await receive())["type"].endswith(".disconnect"):
                self.events.put(message)
                if self._answer and not message.get("more_body"):
                    await send({"type": "http.response.start", "status": 200})
                    await send({"type": "http.response.body", "body": b"answer"})
            self.events.put(message)
        finally:
            self.ended.put(None)

    def received(self) -> list[Message]:
        """Everything up to the disconnect."""
        found = [self.events.get(timeout=LONG)]
        while not found[-1]["type"].endswith(".disconnect"):
            found.append(self.events.get(timeout=LONG))
        return found


@contextlib.contextmanager
def serving(app: Any, loop: str, engine: str = "zttp", **options: Any) -> Iterator[ServerThread]:
    defaults = {"loop": loop, "http1_engine": engine, "lifespan": "off", "drain_timeout": 0.0}
    with ServerThread(app, host="127.0.0.1", **{**defaults, **options}) as server:
        yield server


def connect(server: ServerThread) -> socket.socket:
    return socket.create_connection((server.host, server.port), LONG)


def soon(condition: Callable[[], bool]) -> None:
    """Fail unless it holds within the time there is."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "not noticed in time"
        time.sleep(0.01)


def is_gone(server: ServerThread) -> bool:
    return server.statistics()["connections"] == 0


@EACH
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (GET, b""),
        (GET, GET),
        (GET, b"\r\n"),
        (GET, b"X"),
        (GET, MUCH),
        (GET, 6 * MUCH),
        (POST + b"3\r\n\r\na=1\r\n", b""),
        (POST + b"3\r\n\r\na=1", b"\r\n"),
        (POST + b"3\r\n\r\na=1", GET),
        (POST + b"3\r\n\r\na=", b""),
    ],
    ids=[
        "alone",
        "next",
        "empty",
        "byte",
        "much",
        "more",
        "body-empty",
        "body-later",
        "body-next",
        "half-body",
    ],
)
def test_a_page_that_waits_is_told(loop: str, engine: str, first: bytes, then: bytes) -> None:
    app = Pages()
    with serving(app, loop, engine) as server:
        with connect(server) as client:
            client.sendall(first)
            app.begun.get(timeout=LONG)
            client.sendall(then)
        app.ended.get(timeout=SOON)
        assert app.received()[-1] == {"type": "http.disconnect"}
        if len(then) < 1000:  # of those that had their turn as well, each is answered for
            soon(lambda: is_gone(server))


@LOOPS
@pytest.mark.parametrize("then", [b"", b"\r\n", GET, MUCH], ids=["alone", "empty", "next", "much"])
def test_over_tls(loop: str, then: bytes, tmp_path: Path) -> None:
    app, pair = Pages(), make_pair(tmp_path)
    endpoint = {"ssl_certfile": str(pair.certificate), "ssl_keyfile": str(pair.key)}
    with serving(app, loop, **endpoint) as server:
        plain = connect(server)
        with pair.client("http/1.1").wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(GET)
            app.begun.get(timeout=LONG)
            client.sendall(then)
        app.ended.get(timeout=SOON)


@LOOPS
def test_a_reset_while_nobody_reads(loop: str) -> None:
    app = Pages()
    with serving(app, loop) as server:
        client = connect(server)
        client.sendall(GET + MUCH)
        app.begun.get(timeout=LONG)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        app.ended.get(timeout=SOON)
        soon(lambda: is_gone(server))


@EACH
def test_who_has_only_stopped_sending_gets_its_answers(loop: str, engine: str) -> None:
    app = Pages(answer=True)
    with serving(app, loop, engine) as server, connect(server) as client:
        client.sendall(GET + GET + GET)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(65536):
            received += data
        assert received.count(b"answer") == 3
        soon(lambda: is_gone(server))


# Bodies whose application is behind


@EACH
def test_a_body_that_breaks_off_behind_an_application_that_is_behind(loop: str, engine: str) -> None:
    app = Pages(held=True)
    with serving(app, loop, engine) as server:
        with connect(server) as client:
            client.sendall(POST + b"10000000\r\n\r\n" + bytes(400_000))
            app.begun.get(timeout=LONG)
        soon(lambda: is_gone(server))
        app.go.set()
        *parts, last = app.received()
        assert last == {"type": "http.disconnect"}
        assert sum(len(part["body"]) for part in parts) == 400_000
        assert all(part["more_body"] for part in parts)


@EACH
def test_a_whole_body_of_a_peer_that_waits_for_its_answer(loop: str, engine: str) -> None:
    app = Pages(held=True, answer=True)
    with serving(app, loop, engine) as server, connect(server) as client:
        client.sendall(POST + b"600000\r\n\r\n" + bytes(600_000))
        client.shutdown(socket.SHUT_WR)
        app.begun.get(timeout=LONG)
        time.sleep(SOON)  # it has been noticed by now
        app.go.set()
        *parts, _ = app.received()
        assert sum(len(part["body"]) for part in parts) == 600_000
        received = b""
        while data := client.recv(65536):
            received += data
        assert received.endswith(b"answer")


@LOOPS
def test_an_application_that_never_takes_a_large_rest_is_cancelled(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AHEAD", 1000)
    app = Pages(held=True)
    with serving(app, loop, application_close_timeout=1) as server:
        with connect(server) as client:
            client.sendall(POST + b"1000000\r\n\r\n" + bytes(150_000))
        app.ended.get(timeout=LONG)
        soon(lambda: is_gone(server))


async def test_who_takes_what_came_before_the_close_has_time_for_all_of_it(clock: Any) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=3, request_buffer_size=1000) as running:
        client = await running.connect()
        await client.send(POST + b"20000\r\n\r\n" + bytes(20_000))
        client.writer.write_eof()
        run = await app.next()
        (link,) = running.runtime.connections
        async with asyncio.timeout(LONG):
            while not link.finished:
                clock.advance(0.5)
                await asyncio.sleep(0.01)
        for _ in range(19):
            assert len((await run.receive())["body"]) == 1000
            clock.advance(1)
        assert not run.finished.is_set()
        run.end()


# WebSockets


@pytest.mark.parametrize(("loop", "engine"), WS)
def test_a_consumer_that_is_behind(loop: str, engine: str) -> None:
    app, many = Pages(held=True), 30_000
    with serving(app, loop, engine) as server:
        with connect(server) as client:
            client.sendall(UPGRADE)
            app.begun.get(timeout=LONG)
            client.recv(65536)
            client.sendall(b"".join(frame(b"%d" % number) for number in range(many)))
        soon(lambda: is_gone(server))
        app.go.set()
        *messages, last = app.received()
        assert [message["text"] for message in messages] == [str(number) for number in range(many)]
        assert (last["type"], last["code"]) == ("websocket.disconnect", 1006)


@pytest.mark.parametrize(("loop", "engine"), WS)
@pytest.mark.parametrize("early", [0, 1, 60_000], ids=["none", "one", "many"])
def test_a_handshake_that_waits(loop: str, engine: str, early: int) -> None:
    ended: queue.Queue[str] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        ended.put(message["type"])

    with serving(app, loop, engine) as server:
        with connect(server) as client:
            client.sendall(UPGRADE + frame(b"early") * early)
            time.sleep(0.2)
        assert ended.get(timeout=SOON) == "websocket.disconnect"
        soon(lambda: is_gone(server))


@LOOPS
def test_a_consumer_that_never_takes_a_large_rest_is_cancelled(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AHEAD", 1000)
    app = Pages(held=True)
    with serving(app, loop, application_close_timeout=1, websocket_queue_size=1) as server:
        with connect(server) as client:
            client.sendall(UPGRADE)
            app.begun.get(timeout=LONG)
            client.recv(65536)
            client.sendall(frame(b"first"))
            time.sleep(0.2)
            client.sendall(frame(bytes(20_000), 2))
        app.ended.get(timeout=LONG)
        soon(lambda: is_gone(server))


async def test_many_messages_before_a_close_wait_unparsed() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=4) as running:
        client, run = await opened(running, app)
        stream = next(iter(running.runtime.streams))
        await client.send(b"".join(frame(b"%d" % number) for number in range(1000)))
        await client.send(close_frame(1001, b"bye"))
        client.writer.write_eof()
        async with asyncio.timeout(LONG):
            while running.runtime.connections:
                await asyncio.sleep(0.01)
        assert running.runtime.closed_peers.spare == SPARE
        assert len(stream._inbox) <= 4
        texts = [(await run.receive())["text"] for _ in range(1000)]
        assert texts == [str(number) for number in range(1000)]
        assert await run.receive() == {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}
        run.end()


# HTTP/2


async def until_gone(running: Running) -> None:
    async with asyncio.timeout(SOON):
        while running.runtime.connections:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("both_engines")
async def test_streams_whose_bodies_are_not_taken() -> None:
    app = Recorder()
    async with serve(app, request_buffer_size=1000) as running, h2_client(running) as client:
        for _ in range(3):
            stream = await client.request(POST_2, end=False)
            await client.send(stream, bytes(10_000))
        runs = [await app.next() for _ in range(3)]
        client.writer.close()
        await until_gone(running)
        for run in runs:
            parts = []
            while (message := await run.receive())["type"] == "http.request":
                parts.append(message["body"])
            assert sum(map(len, parts)) == 10_000
            run.end()


@pytest.mark.usefixtures("both_engines")
async def test_a_consumer_that_is_behind_over_http2() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=4) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.accept()
        await client.send(stream, b"".join(frame(b"%d" % number) for number in range(500)))
        client.writer.close()
        await until_gone(running)
        texts = []
        while (message := await run.receive())["type"] == "websocket.receive":
            texts.append(message["text"])
        assert texts == [str(number) for number in range(500)]
        run.end()


async def test_a_peer_that_reads_nothing_and_closes() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        client.h2.update_settings({4: 2**31 - 1})
        client.h2.increment_flow_control_window(2**30)
        await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200})
        sending = asyncio.ensure_future(
            run.send({"type": "http.response.body", "body": bytes(8_000_000), "more_body": True})
        )
        await eventually(lambda: next(iter(running.runtime.connections)).congested)
        client.writer.transport.abort()
        await until_gone(running)
        await sending
        assert [(await run.receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]
        run.end()


def test_what_is_read_ahead_is_counted_over_all_connections() -> None:
    peers = ClosedPeers()
    assert peers.read_ahead(SPARE - 1)
    assert not peers.read_ahead(1)
    assert peers.spare == 0
    peers.taken(SPARE)
    assert peers.spare == SPARE
