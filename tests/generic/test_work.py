"""What a message may cost: work is counted, not timed, so that it does not creep back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.protocols.websocket import frames as websocket_frame
from tests.server.helpers import eventually, frame, serve
from tests.support.hops import counted_hops

#: Functions of ours that one operation of a benchmark row may call. Whoever adds some says here why they pay.
CALLS = {
    "connect": 238,
    "echo": 29,
    "echo, metrics": 29,
    "chat": 480,
    "page": 122,
    "http2": 85,
    "publish": 92,
}
MEMBERS = 5
BURST = 4


class Chat(AsyncWebsocketConsumer):
    """The guide's consumer."""

    groups = ("room",)

    async def receive(self, text_data=None, bytes_data=None):
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send("room", {"type": "chat_message", "message": message})

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)


class Direct(Chat):
    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send("room", {"type": "websocket.send", "text": text_data})


@pytest.fixture(autouse=True)
def layer():
    with override_settings(
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    ):
        yield


class CountingTransport:
    """A transport that counts what it is given to write."""

    def __init__(self, transport: Any, work: Counter[str]) -> None:
        self._transport = transport
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._work["writes"] += 1
        self._transport.write(data)


@contextmanager
def counted(running: Any, monkeypatch: Any) -> Any:
    """Count tasks, visits to threads, frames made and writes of the server meanwhile."""
    work: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    make_frame = websocket_frame.text_frame

    def counting_frame(text):
        latest = websocket_frame._latest
        frame = make_frame(text)
        work["frames"] += websocket_frame._latest is not latest  # else it was made before
        return frame

    def counting_task(loop, coroutine, **options):
        work["tasks"] += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    monkeypatch.setattr(websocket_frame, "text_frame", counting_frame)
    monkeypatch.setattr("channels.server.asgi.websocket.text_frame", counting_frame)
    for connection in running.runtime.connections:
        connection._transport = CountingTransport(connection._transport, work)
    loop.set_task_factory(counting_task)
    try:
        with counted_hops() as hops:
            yield work
        work["threads"] += len(hops)
    finally:
        loop.set_task_factory(None)


async def work_of(consumer: Any, monkeypatch: Any, texts: list[str]) -> dict[str, int]:
    """What the server does for ``texts`` that one client sends at once, until everybody has the answers."""
    async with serve(consumer.as_asgi()) as running:
        clients = [await running.connect() for _ in range(MEMBERS)]
        for client in clients:
            await client.upgrade()
        await eventually(lambda: not consumer.groups or len(get_channel_layer().groups["room"]) == MEMBERS)
        listeners = clients if consumer.groups else clients[:1]
        size = sum(len(text) + 2 for text in texts)
        with counted(running, monkeypatch) as work:
            clients[0].write(b"".join(frame(text.encode()) for text in texts))
            for client in listeners:
                await client.reader.readexactly(size)  # no time limit: that would be a task
        return dict(work)


def texts(amount: int) -> list[str]:
    """Texts that were never sent before."""
    return [json.dumps({"message": uuid.uuid4().hex}) for _ in range(amount)]


async def test_an_echo(monkeypatch):
    assert await work_of(Echo, monkeypatch, texts(1)) == {"frames": 1, "writes": 1, "threads": 0}


async def test_a_burst_of_echoes_leaves_in_one_write(monkeypatch):
    work = await work_of(Echo, monkeypatch, texts(BURST))
    assert work == {"frames": BURST, "writes": 1, "threads": 0}


async def test_a_message_to_a_room(monkeypatch):
    assert await work_of(Chat, monkeypatch, texts(1)) == {"frames": 1, "writes": MEMBERS, "threads": 0}


async def test_a_burst_to_a_room(monkeypatch):
    """Handlers of each member run one after the other: what they send leaves in one write."""
    work = await work_of(Chat, monkeypatch, texts(BURST))
    assert work["writes"] == MEMBERS
    assert (work["threads"], work.get("tasks", 0)) == (0, 0)


async def test_a_burst_to_the_sockets_of_a_room(monkeypatch):
    work = await work_of(Direct, monkeypatch, texts(BURST))
    assert work == {"frames": BURST, "writes": MEMBERS, "threads": 0}


@pytest.fixture(scope="module")
def calls():
    """How many functions of ours each operation calls; in a process of its own, all of which is profiled."""
    command = [sys.executable, "-m", "tests.support.calls"]
    root = Path(__file__).resolve().parents[2]
    counted = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(counted.stdout)


@pytest.mark.parametrize("operation", CALLS)
def test_an_operation_of_a_benchmark_row_calls_no_more_functions_than_it_did(operation, calls):
    assert 0 < calls[operation] <= CALLS[operation]


def test_the_log_of_the_inspector_costs_a_few_calls_for_each_message_and_none_for_each_delivery(calls):
    assert 0 < calls["chat, inspector"] - calls["chat"] < 6  # to a room of twenty
