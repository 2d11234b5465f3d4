"""The way of a trace from one process to another: over layers, topics, the journal and tasks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.test import override_settings

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.observability.tracing.setup import instrument
from channels.routing import URLRouter
from channels.tasks.stores import manager
from channels.tasks.stores.redis.store import RedisStore
from channels.testing import WebsocketCommunicator
from channels.testing.topics import TopicsCommunicator
from channels.topics.routing import websocket_urlpatterns
from channels.topics.stores.manager import get_store, set_store
from tests.journal.topics import Kept
from tests.observability.tracing.spans import Spans, ids, linked, parent
from tests.support.databases import Database, sqlite  # noqa: F401 (fixture)
from tests.support.redis_servers import RedisServer
from tests.support.served import environment
from tests.tasks.conftest import working
from tests.topics.topics_for_tests import Room


class Sent(NamedTuple):
    """A span of the process that sends."""

    name: str
    trace: str
    id: str
    parent: str


class Chat(AsyncWebsocketConsumer):
    groups = ["room"]

    async def chat_message(self, event: Any) -> None:
        await self.send(event["text"])


@pytest.fixture(params=["host", "redis"])
def between(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Settings of a project with a layer between processes, and tasks in the database or in Redis."""
    backend = "channels.tasks.TaskBackend"
    if request.param == "host":
        layer: Any = {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": str(tmp_path)}}
        yield {"CHANNEL_LAYERS": {"default": layer}, "TASKS": {"default": {"BACKEND": backend}}}
        return
    with RedisServer() as server:
        layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [server.url]}}
        tasks = {"BACKEND": backend, "OPTIONS": {"store": "redis", "hosts": [server.url]}}
        yield {"CHANNEL_LAYERS": {"default": layer}, "TASKS": {"default": tasks}}


@pytest.fixture
def project(between: dict[str, Any], sqlite: Database) -> Iterator[dict[str, Any]]:  # noqa: F811
    """The same in this process, with a database of its own."""
    with sqlite.as_default(), override_settings(**between):
        manager._stores.clear()
        call_command("migrate", "channels_journal", verbosity=0)
        call_command("migrate", "channels_tasks", verbosity=0)
        yield {**between, "DATABASES": {"default": sqlite.settings}}
        for store in manager._stores.values():
            if isinstance(store, RedisStore):
                store.disconnect()
        manager._stores.clear()
        set_store("database", None)


def send(project: dict[str, Any]) -> dict[str, Sent]:
    """Have another process send one of each; returns its spans by their names."""
    command = [sys.executable, "-m", "tests.observability.tracing.sending", json.dumps(project)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return {name: Sent(name, *rest) for name, *rest in json.loads(done.stdout)}


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not found():
            await asyncio.sleep(0.01)


async def test_what_one_process_sends_another_handles_in_its_trace(
    project: dict[str, Any], spans: Spans
) -> None:
    instrument(spans.provider)
    topics = TopicsCommunicator(URLRouter(websocket_urlpatterns))
    chat = WebsocketCommunicator(Chat.as_asgi(), "/")
    await topics.connect()
    for topic in (Room(name="one"), Kept(name="one")):
        await topics.subscribe(topic)
    assert (await chat.connect())[0]
    with working():
        sent = await asyncio.to_thread(send, project)
        pushes = [await topics.receive_push(30) for _ in range(2)]
        assert await chat.receive_from(30) == "hello"
        await until(lambda: spans.named("process default"))
        await until(lambda: len(spans.named("process Chat")) == 1)
    assert {"traceparent" in json.dumps(push) for push in pushes} == {False}  # clients see nothing of it
    request = sent["request"]
    for name, origin in (
        (f"process {Room.pattern}", sent[f"send {Room.pattern}"]),
        (f"process {Kept.pattern}", sent[f"create {Kept.pattern}"]),
        ("process default", sent["send default"]),
    ):
        span = spans.one(name)
        assert (origin.trace, origin.parent) == (request.trace, request.id), name
        assert ids(span)[0] == request.trace, name
        assert (parent(span), linked(span)) == (origin.id, {origin.id}), name
    (relayed,) = spans.named(f"send {Kept.pattern}")  # by the relay of this process, which has no request
    assert (parent(relayed), linked(relayed)) == ("", {sent[f"create {Kept.pattern}"].id})
    assert sent["send chat.message"].id in linked(spans.one("process Chat"))
    await topics.disconnect()
    await chat.disconnect()
    for alias in ("database", "default"):
        await get_store(alias).aclose()
