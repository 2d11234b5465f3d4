"""What a client may send when: each mistake has the protocol's code, and no traceback."""

import asyncio
import json
import logging
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from channels import telemetry
from channels.layers import InMemoryChannelLayer
from channels.topics import Topic, rpc
from channels.topics.stores.manager import get_store
from tests.topics.raw_client import raw_client
from tests.topics.topics_for_tests import Room

CONNECT = {"id": 1, "connect": {}}


class Broken(Topic):
    pattern = "broken:<slug:name>"

    def may_subscribe(self, user: Any) -> bool:
        raise ZeroDivisionError("a secret")


class Busy(Topic):
    """Its calls go to a worker that is behind."""

    pattern = "busy:<slug:name>"

    def may_subscribe(self, user: Any) -> bool:
        return True

    @rpc
    async def steer(self, user: Any) -> None:
        layer = InMemoryChannelLayer(capacity=1)
        for _ in range(2):
            await layer.send("worker", {"type": "steer"})

    @rpc
    def steer_from_a_thread(self, user: Any) -> None:
        async_to_sync(self.steer)(user)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["no json"], 3501),
        (["[]"], 3501),
        ([""], 3501),
        (["{}"], 3501),  # a pong to no ping
        (['{"id": -1}'], 3501),
        ([json.dumps({"id": 1, "subscribe": {"channel": "room:a"}})], 3501),  # before connect
        ([json.dumps(CONNECT), json.dumps({**CONNECT, "id": 2})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "ping": {}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "subscribe": {}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "unsubscribe": {}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "publish": {"data": 1}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "history": {}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "presence": {}})], 3501),
        ([json.dumps(CONNECT), json.dumps({"send": {"data": 1}})], 3508),
        ([json.dumps(CONNECT), json.dumps({"id": 2, "refresh": {}})], 3501),
        (["x" * 70_000], 1009),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(port: int, frames: list[str], code: int) -> None:
    async with raw_client(port) as client:
        for frame in frames:
            await client.socket.send(frame)
        assert (await client.closed())[0] == code


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"subscribe": {"channel": "nowhere"}}, 102),
        ({"subscribe": {"channel": "room:" + "a" * 300}}, 107),
        ({"subscribe": {"channel": "room:secret"}}, 103),
        ({"subscribe": {"channel": "room:a", "type": 1}}, 103),
        ({"subscribe": {"channel": "room:a", "tf": {"key": "x", "cmp": "eq", "val": "y"}}}, 107),
        ({"subscribe": {"channel": "price:a", "tf": {"op": "nonsense"}}}, 107),
        ({"publish": {"channel": "room:a", "data": 1}}, 103),
        ({"publish": {"channel": "nowhere", "data": 1}}, 102),
        ({"publish": {"channel": "room:open"}}, 107),
        ({"history": {"channel": "typed:1"}}, 108),
        ({"presence": {"channel": "typed:1"}}, 108),
        ({"presence_stats": {"channel": "typed:1"}}, 108),
        ({"history": {"channel": "room:secret"}}, 103),
        ({"rpc": {"method": "missing"}}, 104),
        ({"sub_refresh": {"channel": "room:a"}}, 103),
        ({"subscribe": {"channel": "broken:a"}}, 100),
    ],
)
async def test_what_is_refused_leaves_the_connection(port: int, command: dict[str, Any], code: int) -> None:
    async with raw_client(port) as client:
        await client.connect()
        assert (await client.ask(**command))["error"]["code"] == code
        assert "error" not in await client.ask(subscribe={"channel": "room:fine"})


async def test_who_develops_sees_which_patterns_there_are(
    port: int, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for debug in (False, True):
        settings.DEBUG = debug
        async with raw_client(port) as client:
            await client.connect()
            assert (await client.ask(subscribe={"channel": "rom:a"}))["error"]["code"] == 102
        told = [record.getMessage() for record in caplog.records if "rom:a" in record.getMessage()]
        assert len(told) == debug
    assert told[0].startswith("A client was refused: No topic is named 'rom:a'. Patterns of this project: ")
    assert "room:<slug:name>" in told[0]


async def test_an_error_of_the_project_is_logged_and_tells_the_client_nothing(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with raw_client(port) as client:
        await client.connect()
        with caplog.at_level(logging.ERROR):
            error = (await client.ask(subscribe={"channel": "broken:a"}))["error"]
    assert error == {"code": 100, "message": "internal server error", "temporary": True}
    assert "ZeroDivisionError" in caplog.text


async def test_commands_of_one_frame_are_carried_out_in_order(port: int) -> None:
    async with raw_client(port) as client:
        commands = [
            CONNECT,
            {"id": 2, "subscribe": {"channel": "room:open"}},
            {"id": 3, "publish": {"channel": "room:open", "data": "x"}},
            {"id": 4, "unsubscribe": {"channel": "room:open"}},
            {"id": 5, "unsubscribe": {"channel": "room:open"}},
        ]
        await client.socket.send("\n".join(map(json.dumps, commands)))
        assert [(await client.next())["id"] for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_too_many_commands_a_second_are_refused_for_a_while(port: int, settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"MAX_COMMAND_RATE": 1}
    async with raw_client(port) as client:
        await client.connect()
        commands = [
            {"id": number, "rpc": {"method": "add", "data": {"numbers": []}}} for number in range(2, 22)
        ]
        await client.socket.send("\n".join(map(json.dumps, commands)))
        answers = [await client.next() for _ in commands]
        refused = [each["error"] for each in answers if "error" in each]
        assert len(refused) >= 10
        assert refused[0] == {"code": 111, "message": "too many requests", "temporary": True}


async def test_subscriptions_have_a_limit(port: int, settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"MAX_SUBSCRIPTIONS": 2}
    async with raw_client(port) as client:
        await client.connect()
        for name in ("a", "b"):
            assert "error" not in await client.ask(subscribe={"channel": f"room:{name}"})
        assert (await client.ask(subscribe={"channel": "room:c"}))["error"]["code"] == 106
        assert (await client.ask(subscribe={"channel": "room:a"}))["error"]["code"] == 105


async def test_who_does_not_connect_in_time_is_told_so(port: int, settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"CONNECT_TIMEOUT": 0.1}
    async with raw_client(port) as client:
        assert await client.closed() == (3502, "stale")


async def test_who_does_not_answer_a_ping_is_disconnected(port: int, settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"PING_INTERVAL": 2, "PONG_TIMEOUT": 1}
    async with raw_client(port) as client:
        await client.socket.send(json.dumps(CONNECT))
        async with asyncio.timeout(10):
            while True:
                try:
                    await client.socket.recv()
                except Exception:
                    break
        assert client.socket.close_code == 3012


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_served(port: int, settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"MAX_QUEUE_SIZE": 200_000}
    async with raw_client(port) as slow, raw_client(port) as other:
        for client in (slow, other):
            await client.connect()
            await client.ask(subscribe={"channel": "room:flood"})
        slow.socket.transport.pause_reading()
        room = Room(name="flood")
        for number in range(400):
            await room.apublish({"number": number, "padding": "x" * 50_000})
            assert (await other.next())["push"]["pub"]["data"]["number"] == number
        stats = await get_store().presence_stats("room:flood")
        async with asyncio.timeout(10):
            while stats.clients != 1:
                await asyncio.sleep(0.05)
                stats = await get_store().presence_stats("room:flood")


@pytest.mark.parametrize("method", ["steer", "steer_from_a_thread"])
async def test_a_call_to_a_worker_that_is_behind_is_told_to_come_again(
    port: int, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[tuple[str, Any]] = []
    detach = telemetry.attach(lambda event, facts: counted.append((event, facts.get("command"))))
    async with raw_client(port) as client:
        await client.connect()
        reply = await client.ask(rpc={"method": f"busy:a/{method}", "data": {}})
    detach()
    assert reply["error"] == {"code": 111, "message": "too many requests", "temporary": True}
    assert ("topics.channel_full", "rpc") in counted
    assert not [record for record in caplog.records if record.exc_info]
