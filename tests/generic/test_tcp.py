"""Consumers of TCP through a real server, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.urls import path

from channels import telemetry
from channels.generic.tcp import AsyncTcpConsumer, TcpConsumer
from channels.layers.manager import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from tests.server.helpers import LONG, eventually, serve

ENDPOINT = ("tcp:port=0:interface=127.0.0.1:app=meters",)
MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

told: list[str] = []


class AsyncEcho(AsyncTcpConsumer):
    framing_options = {"max_size": 100}

    async def connected(self) -> None:
        await self.send(b"hello")

    async def received(self, message: bytes) -> None:
        if message == b"bye":
            await self.close()
        else:
            await self.send(b"got " + message)

    async def meters_changed(self, event: Any) -> None:
        await self.send(event["text"].encode())

    async def disconnected(self, reason: str) -> None:
        told.append(reason)


class SyncEcho(TcpConsumer):
    framing_options = {"max_size": 100}

    def connected(self) -> None:
        self.send(b"hello")

    def received(self, message: bytes) -> None:
        if message == b"bye":
            self.close()
        else:
            self.send(b"got " + message)

    def meters_changed(self, event: Any) -> None:
        self.send(event["text"].encode())

    def disconnected(self, reason: str) -> None:
        told.append(reason)


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    told.clear()


def routed(consumer: Any) -> ProtocolTypeRouter:
    return ProtocolTypeRouter({"tcp": URLRouter([path("meters", consumer.as_asgi())])})


def derived(base: Any, **attributes: Any) -> Any:
    return type("Derived", (base,), attributes)


TWINS = pytest.mark.parametrize("echo", [AsyncEcho, SyncEcho])


@TWINS
async def test_a_consumer_greets_answers_line_by_line_and_closes(echo: Any) -> None:
    async with serve(routed(echo), endpoints=ENDPOINT) as running:
        client = await running.connect()
        assert await client.until(b"\r\n") == b"hello\r\n"
        await client.send(b"one\r\ntw")
        assert await client.until(b"\r\n") == b"got one\r\n"
        await client.send(b"o\nbye\nmore\n")
        assert await client.rest() == b"got two\r\n"
        await eventually(lambda: told == ["closed"])


@TWINS
async def test_group_messages_reach_it(echo: Any, settings: Any) -> None:
    settings.CHANNEL_LAYERS = MEMORY
    async with serve(routed(derived(echo, groups=["meters"])), endpoints=ENDPOINT) as running:
        client = await running.connect()
        assert await client.until(b"\r\n") == b"hello\r\n"
        layer = get_channel_layer()
        await layer.group_send("meters", {"type": "meters.changed", "text": "new"})
        assert await client.until(b"\r\n") == b"new\r\n"
        await layer.group_send("meters", {"type": "tcp.send", "data": b"as it is"})
        assert await client.until(b"\r\n") == b"as it is\r\n"
        await client.close()
        await eventually(lambda: told)
        assert await layer.group_channels("meters") == []


async def test_a_name_that_no_route_has_is_closed_with_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = URLRouter([path("x", AsyncEcho.as_asgi())])
    async with serve(ProtocolTypeRouter({"tcp": routes}), endpoints=ENDPOINT) as running:
        reader, writer = await asyncio.open_connection(*running.server.addresses[0])
        assert await asyncio.wait_for(reader.read(), LONG) == b""
        writer.close()
    told = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert told == ["tcp answered with 404. No route found for path 'meters'. Known routes: 'x'."]


@TWINS
async def test_a_line_that_is_too_long_closes_behind_the_lines_before_it(echo: Any) -> None:
    before = telemetry.counters["consumer.bad_frame"]
    async with serve(routed(echo), endpoints=ENDPOINT) as running:
        client = await running.connect()
        await client.send(b"one\n" + b"x" * 200)
        assert await client.rest() == b"hello\r\ngot one\r\n"
        assert telemetry.counters["consumer.bad_frame"] == before + 1
        await eventually(lambda: told == ["closed"])


@TWINS
async def test_a_peer_that_has_sent_all_gets_its_answers_and_a_cut_message_is_counted(echo: Any) -> None:
    before = telemetry.counters["consumer.cut_frame"]
    async with serve(routed(echo), endpoints=ENDPOINT) as running:
        client = await running.connect()
        await client.send(b"one\ntwo\nthr")
        client.writer.write_eof()
        assert await client.rest() == b"hello\r\ngot one\r\ngot two\r\n"
        await eventually(lambda: told == ["closed"])
        assert telemetry.counters["consumer.cut_frame"] == before + 1


@TWINS
@pytest.mark.parametrize(
    ("framing", "options", "sent", "answer"),
    [
        ("length-prefix", {"size": 2}, b"\0\3one", b"\0\5hello\0\7got one"),
        ("netstring", {}, b"3:one,", b"5:hello,7:got one,"),
        ("raw", {}, b"one", b"hellogot one"),
    ],
)
async def test_a_framing_by_its_name(
    echo: Any, framing: str, options: Any, sent: bytes, answer: bytes
) -> None:
    consumer = derived(echo, framing=framing, framing_options=options)
    async with serve(routed(consumer), endpoints=ENDPOINT) as running:
        client = await running.connect()
        await client.send(sent)
        assert await client.read(len(answer)) == answer


@TWINS
async def test_a_stop_closes_unless_the_consumer_says_goodbye_first(echo: Any) -> None:
    async with serve(routed(echo), endpoints=ENDPOINT) as running:
        client = await running.connect()
        assert await client.until(b"\r\n") == b"hello\r\n"
        stopping = asyncio.ensure_future(running.server.stop())
        assert await client.rest() == b""
        await client.close()  # else the close lingers
        await asyncio.wait_for(stopping, LONG)
        assert told == ["closed"]


async def test_goodbye_in_both_twins() -> None:
    class Asynchronous(AsyncEcho):
        async def draining(self, seconds: float) -> None:
            await self.send(b"back in a minute")
            await self.close()

    class Synchronous(SyncEcho):
        def draining(self, seconds: float) -> None:
            self.send(b"back in a minute")
            self.close()

    for consumer in (Asynchronous, Synchronous):
        async with serve(routed(consumer), endpoints=ENDPOINT) as running:
            client = await running.connect()
            assert await client.until(b"\r\n") == b"hello\r\n"
            stopping = asyncio.ensure_future(running.server.stop())
            assert await client.rest() == b"back in a minute\r\n"
            await client.close()
            await asyncio.wait_for(stopping, LONG)


async def test_many_messages_of_one_peer_leave_others_their_turn() -> None:
    """The messages of one read are no more than a batch away from the loop."""
    turns: list[int] = []

    class Counting(AsyncTcpConsumer):
        count = 0

        async def received(self, message: bytes) -> None:
            self.count += 1
            if self.count == 1:
                asyncio.get_running_loop().call_soon(lambda: turns.append(self.count))
            elif self.count == 20_000:
                await self.close()

    async with serve(routed(Counting), endpoints=ENDPOINT) as running:
        client = await running.connect()
        await client.send(b"\n" * 20_000)
        assert await client.rest() == b""
    assert turns == [32]


async def test_a_framing_of_ones_own_one_for_each_connection() -> None:
    class Semicolons:
        def __init__(self) -> None:
            self.held = b""

        def feed(self, data: bytes) -> list[bytes]:
            *messages, self.held = (self.held + data).split(b";")
            return messages

        def pack(self, message: bytes) -> bytes:
            return message + b";"

    async with serve(
        routed(derived(AsyncEcho, framing=Semicolons, framing_options={})), endpoints=ENDPOINT
    ) as on:
        one, two = await on.connect(), await on.connect()
        await one.send(b"a")
        await two.send(b"b;")
        assert await two.read(12) == b"hello;got b;"
        await one.send(b"a;")
        assert await one.read(13) == b"hello;got aa;"
