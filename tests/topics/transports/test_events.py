"""Plain event streams, read without any client of ours."""

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings
from h2.events import StreamEnded, StreamReset

from channels.protocols.centrifuge.messages import Push
from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from channels.topics import disconnect, presence, unsubscribe
from channels.topics.transports.events import framing
from channels.topics.transports.events.framing import EventFraming
from channels.topics.transports.stream import StreamTransport
from tests.support.http2_client import GET, H2Client, h2_client
from tests.topics.topics_for_tests import Document, Named, Price, Room, Typed
from tests.topics.transports.streams import TIMEOUT, opened


async def until_nobody_is_in(name: str) -> None:
    async with asyncio.timeout(TIMEOUT):
        while presence(name):
            await asyncio.sleep(0.02)


async def test_a_stream_begins_with_what_clients_need_to_come_back(address: str) -> None:
    Room(name="lobby").publish("before")
    async with opened(f"{address}/sse/?topic=room:lobby") as stream:
        assert stream.response.status == 200
        assert stream.response.content_type == "text/event-stream"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        ready = await stream.event()
        assert (ready.event, ready.retry) == ("ready", "2000")
        Room(name="lobby").publish({"text": "hi"})
        event = await stream.event()
        assert (event.event, json.loads(event.data)) == ("", {"text": "hi"})
        assert event.id.startswith("2:")
        assert event.id.isascii()


@pytest.mark.parametrize("way", ["header", "parameter"])
async def test_what_was_missed_comes_once_and_in_order(address: str, way: str) -> None:
    async with opened(f"{address}/sse/?topic=room:lobby") as stream:
        await stream.named("ready")
        Room(name="lobby").publish(0)
        last = (await stream.event()).id
    for number in range(1, 20):
        Room(name="lobby").publish(number)
    url, headers = f"{address}/sse/?topic=room:lobby", {}
    if way == "header":
        headers["Last-Event-ID"] = last
    else:
        url += f"&last_event_id={last}"
    async with opened(url, headers=headers) as stream:
        await stream.named("ready")
        assert [json.loads((await stream.event()).data) for _ in range(19)] == list(range(1, 20))
        Room(name="lobby").publish("live")
        assert (await stream.event()).data == '"live"'


async def test_a_stream_that_said_nothing_yet_is_resumed_too(address: str) -> None:
    Room(name="quiet").publish("before")
    async with opened(f"{address}/sse/?topic=room:quiet") as stream:
        await stream.named("ready")
        while not stream.last_id:
            line = (await stream.line()).decode()
            stream.last_id = line.removeprefix("id: ") if line.startswith("id: ") else ""
    Room(name="quiet").publish("missed")
    url = f"{address}/sse/?topic=room:quiet"
    async with opened(url, headers={"Last-Event-ID": stream.last_id}) as stream:
        await stream.named("ready")
        assert (await stream.event()).data == '"missed"'


@pytest.mark.parametrize("last", ["1:other", "nonsense", "1:a,2:b", "0" * 30 + ":a", "999999:x"])
async def test_a_gap_is_told(address: str, last: str) -> None:
    Room(name="lobby").publish("missed")
    url = f"{address}/sse/?topic=room:lobby"
    async with opened(url, headers={"Last-Event-ID": last}) as stream:
        gap = await stream.named("gap")
        assert json.loads(gap.data) == {"topic": "room:lobby"}
        Room(name="lobby").publish("live")
        event = await stream.event()
        assert (event.data, event.id) == ('"live"', gap.id.replace("1:", "2:"))


async def test_more_than_is_kept_is_a_gap(address: str) -> None:
    async with opened(f"{address}/sse/?topic=document:1") as stream:
        await stream.named("ready")
        Document(number=1).publish(0)
        last = (await stream.event()).id
    for number in range(11):
        Document(number=1).publish(number)
    async with opened(f"{address}/sse/?topic=document:1&last_event_id={last}") as stream:
        assert (await stream.named("gap")).id.startswith("12:")


async def test_several_topics_share_a_stream_and_an_id(address: str) -> None:
    topics = "topic=room:a&topic=typed:1&topic=room:b"
    async with opened(f"{address}/sse/?{topics}") as stream:
        await stream.named("ready")
        Room(name="a").publish("a1")
        assert (await stream.event()).data == '"a1"'
        Typed(number=1).publish({"text": "not kept"})
        assert json.loads((await stream.event()).data) == {"text": "not kept"}
        Room(name="b").publish("b1")
        last = (await stream.event()).id
    assert [part.partition(":")[0] for part in last.split(",")] == ["1", "-", "1"]
    Room(name="b").publish("b2")
    Room(name="a").publish("a2")
    async with opened(f"{address}/sse/?{topics}", headers={"Last-Event-ID": last}) as stream:
        await stream.named("ready")
        events = [await stream.event(), await stream.event()]
        assert [event.data for event in events] == ['"a2"', '"b2"']
        assert [part.partition(":")[0] for part in events[1].id.split(",")] == ["2", "-", "2"]


async def test_events_have_the_name_of_the_topic_or_of_the_publication(address: str) -> None:
    async with opened(f"{address}/sse/?topic=named:1") as stream:
        await stream.named("ready")
        Named(number=1).publish(1)
        Named(number=1).publish(2, tags={"event": "two\r\ndata: 3"})
        Named(number=1).publish(3, tags={"event": ""})
        found = [await stream.event() for _ in range(3)]
        assert [(each.event, each.data) for each in found] == [
            ("price", "1"),
            ("two  data: 3", "2"),
            ("", "3"),
        ]


async def test_a_cache_says_its_newest_at_once(address: str) -> None:
    for price in (1, 2, 3):
        Price(symbol="abc").publish(price)
    async with opened(f"{address}/sse/?topic=price:abc") as stream:
        await stream.named("ready")
        assert (await stream.event()).data == "3"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("topic=room:secret", 403, "permission denied"),
        ("topic=nowhere", 404, "unknown channel"),
        ("topic=room:lobby&topic=room:secret", 403, "permission denied"),
        ("", 400, "Say which topics"),
        ("topic=", 400, "Say which topics"),
        ("&".join(f"topic=room:n{number}" for number in range(129)), 400, "129 topics"),
        ("topic=" + "x" * 300, 400, "255 bytes"),
    ],
)
async def test_a_refusal_says_why(address: str, query: str, status: int, words: str) -> None:
    async with opened(f"{address}/sse/?{query}", allow_redirects=False) as stream:
        assert stream.response.status == status
        assert words in await stream.response.text()
        assert stream.response.content_type == "text/plain"
    await until_nobody_is_in("room:lobby")


async def test_a_page_of_another_origin_may_send_the_headers_of_its_library(
    address: str,
) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "last-event-id,hx-request",
    }
    url = f"{address}/sse/?topic=room:lobby"
    with override_settings(CHANNELS_TOPICS={"ALLOWED_ORIGINS": ["https://shop.example"]}):
        async with opened(url, "OPTIONS", headers=asked) as answer:
            assert answer.response.status == 204
            allowed = answer.response.headers["Access-Control-Allow-Headers"]
            assert allowed == "last-event-id,hx-request"
            assert answer.response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        async with opened(url, headers={"Origin": "https://evil.example"}) as answer:
            assert answer.response.status == 403
            assert "Access-Control-Allow-Origin" not in answer.response.headers


@pytest.mark.parametrize("path", ["sse", "sse/"])
async def test_there_is_no_redirect_even_where_all_pages_want_a_login(address: str, path: str) -> None:
    middleware = [
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    with override_settings(MIDDLEWARE=middleware):
        app = ProtocolTypeRouter({"http": get_asgi_application()})
    with ServerThread(app) as server:
        url = f"http://127.0.0.1:{server.port}/{path}?topic=room:secret"
        async with opened(url, allow_redirects=False) as stream:
            assert stream.response.status == 403


async def test_who_has_gone_is_not_present(address: str) -> None:
    async with opened(f"{address}/sse/?topic=room:lobby") as stream:
        await stream.named("ready")
        assert len(presence("room:lobby")) == 1
    await until_nobody_is_in("room:lobby")


async def test_a_stream_ends_with_its_last_topic(address: str) -> None:
    async with opened(f"{address}/sse/?topic=room:a&topic=room:b") as stream:
        await stream.named("ready")
        unsubscribe("", "room:a")
        assert json.loads((await stream.named("unsubscribed")).data)["topic"] == "room:a"
        unsubscribe("", "room:b")
        assert json.loads((await stream.named("close")).data)["code"] == 3507
        await stream.end()


async def test_clients_that_are_to_come_back_are_cut_off_and_others_are_told(address: str) -> None:
    async with opened(f"{address}/sse/?topic=room:lobby") as stream:
        await stream.named("ready")
        disconnect("", code=3011)
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.end()
    async with opened(f"{address}/sse/?topic=room:lobby") as stream:
        await stream.named("ready")
        disconnect("")
        close = await stream.named("close")
        assert json.loads(close.data) == {"code": 3503, "reason": "force disconnect"}
        await stream.end()


async def heard(client: H2Client, stream: int, text: str) -> None:
    await client.until(lambda _: text.encode() in client.bodies.get(stream, b""))


@pytest.mark.parametrize("code", [3011, 3503])
async def test_over_http2_streams_share_a_connection_and_each_ends_alone(address: str, code: int) -> None:
    port = int(address.rpartition(":")[2])
    running: Any = SimpleNamespace(server=SimpleNamespace(addresses=[("127.0.0.1", port)]))
    async with h2_client(running) as client:
        rooms = ["a", "b"]
        streams = [await client.request([*GET[:3], (":path", f"/sse/?topic=room:{room}")]) for room in rooms]
        for stream, room in zip(streams, rooms, strict=True):
            assert (await client.head(stream))[":status"] == "200"
            Room(name=room).publish(room)
        for stream, room in zip(streams, rooms, strict=True):
            await heard(client, stream, f'data: "{room}"\n\n')
        (first,) = presence("room:a")
        disconnect("", code=code, client=first)
        ended = StreamReset if code == 3011 else StreamEnded
        await client.event(ended, streams[0])
        assert (b"event: close" in client.bodies[streams[0]]) is (code == 3503)
        Room(name="b").publish("still")
        await heard(client, streams[1], 'data: "still"\n\n')
    await until_nobody_is_in("room:b")


@pytest.mark.parametrize("query", ["topic=room:lobby", "topic=room:lobby&topic=room:other"])
async def test_a_publication_is_written_once_for_all_streams(
    address: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Push] = []
    identifier_of = framing.identifier_of

    def counted(push: Push) -> str:
        written.append(push)
        return identifier_of(push)

    monkeypatch.setattr(framing, "identifier_of", counted)
    async with AsyncExitStack() as stack:
        url = f"{address}/sse/?{query}"
        streams = [await stack.enter_async_context(opened(url)) for _ in range(10)]
        for stream in streams:
            await stream.named("ready")
        Room(name="lobby").publish("once")
        assert {(await stream.event()).data for stream in streams} == {'"once"'}
    assert len(written) == 1


async def test_a_reader_who_has_gone_leaves_nothing_behind_that_waits() -> None:
    transport = StreamTransport(EventFraming())
    await transport.put(b"read by nobody")
    waiting = [asyncio.create_task(transport.put(b"more")), asyncio.create_task(transport.end())]
    await asyncio.sleep(0)
    transport.abandon()
    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(*waiting)
        await transport.close(3503, "later")
