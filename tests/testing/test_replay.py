"""Replaying a recording against an application, and what differs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from channels.diagnostics.recording import MASKED, Frame, Recording
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.server.in_thread import ServerThread
from channels.testing.replay import Replayed, replay, replay_topic
from channels.topics import history
from channels.topics.stores.manager import set_store
from channels.topics.topic import History, Topic


class Shop(AsyncWebsocketConsumer):
    """Confirms each order, with an id that is another one each time."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data is not None:
            await self.send(bytes_data=bytes_data[::-1])
            return
        order = json.loads(text_data or "")
        answer = {"order": order["n"], "epoch": id(order), "total": 10 * order["n"], "to": "bob@example.org"}
        await self.send(json.dumps(answer))
        await self.send(f"for {order['by']}, thanks")


def recording(total: int = 20) -> Recording:
    answer = {"order": 2, "epoch": 1, "total": total, "to": MASKED}
    frames = [
        Frame(0, "in", json.dumps({"n": 2, "by": MASKED})),
        Frame(0.1, "out", json.dumps(answer)),
        Frame(0.2, "out", f"for {MASKED}, thanks"),
        Frame(0.3, "in", bytes(3)),
        Frame(0.4, "out", bytes(3)),
    ]
    return Recording("connection", "/shop/?x=1", [], frames)


async def test_the_same_application_gives_the_same(tmp_path: Path) -> None:
    file = tmp_path / "monday.jsonl"
    file.write_text(recording().dumps())
    replayed = await replay(file, Shop.as_asgi())
    replayed.require_same()
    assert len(replayed.received) == 3


async def test_a_server_is_asked_as_an_application_is() -> None:
    with ServerThread(Shop.as_asgi()) as server:
        address = f"ws://127.0.0.1:{server.port}"
        (await replay(recording(), address, headers=[("X-Test", "1")])).require_same()


async def test_what_differs_is_said_and_what_changes_each_time_is_not() -> None:
    replayed = await replay(recording(total=21), Shop.as_asgi())
    (difference,) = replayed.differences
    assert difference.startswith("Message 2 was") and '"total": 20' in difference
    with pytest.raises(AssertionError, match="Message 2 was"):
        replayed.require_same()
    all_keys = await replay(recording(), Shop.as_asgi(), ignore=())
    assert len(all_keys.differences) == 1


async def test_a_message_that_does_not_come_is_a_difference() -> None:
    class Silent(AsyncWebsocketConsumer):
        pass

    short = Recording("connection", "/", [], [Frame(0, "in", "x"), Frame(0, "out", "y")])
    with ServerThread(Silent.as_asgi()) as server:
        replayed: Replayed = await replay(short, f"ws://127.0.0.1:{server.port}", wait=0.05)
    assert "did not come within 0.05 s" in replayed.differences[0]
    assert replayed.received == []


async def test_a_refused_connection_is_an_error() -> None:
    class Refuses(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.close()

    with pytest.raises(AssertionError, match="refused"):
        await replay(recording(), Refuses.as_asgi())


async def test_a_topic_is_published_again() -> None:
    class Replayable(Topic):
        pattern = "replayable:<str:name>"
        history = History(size=10, ttl=60)

    set_store("default", None)
    found = Recording("topic", "replayable:a", [], [Frame(0, "out", '{"n": 1}'), Frame(1, "out", '{"n": 2}')])
    assert await replay_topic(found) == 2
    assert await replay_topic(found, "replayable:b") == 2
    for name in ("replayable:a", "replayable:b"):
        page = await asyncio.to_thread(history, name)
        assert [each.data for each in page.entries] == [{"n": 1}, {"n": 2}]
    set_store("default", None)
