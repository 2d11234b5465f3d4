"""Consumers by themselves, sync and async: handlers, groups, errors, the end.

Longer than other files: it is the test of one module, and its cases share their consumers.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import override_settings
from django.utils.functional import SimpleLazyObject

from channels import telemetry
from channels.auth import UserLazyObject
from channels.consumer import AsyncConsumer, SyncConsumer, describe_user, get_handler_name
from channels.exceptions import StopConsumer
from channels.layers import InMemoryChannelLayer, get_channel_layer
from channels.layers.engine import engine_of
from channels.testing import ApplicationCommunicator
from channels.typing import PUSH_EXTENSION

MEMORY = {
    "default": {"BACKEND": "channels.layers.InMemoryChannelLayer"},
    "other": {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}


class Recorder(AsyncConsumer):
    handled: list

    def __init__(self, handled=None):
        self.handled = [] if handled is None else handled

    async def test_message(self, message):
        self.handled.append(message)
        await self.send({"type": "answer", "n": message.get("n")})

    async def test_stop(self, message):
        raise StopConsumer

    async def test_fail(self, message):
        raise RuntimeError("broken handler")


class SyncRecorder(SyncConsumer):
    def test_message(self, message):
        self.send({"type": "answer", "n": message.get("n"), "thread": threading.get_ident()})

    def test_fail(self, message):
        raise RuntimeError("broken handler")

    def test_stop(self, message):
        raise StopConsumer


class Other(Recorder):
    channel_layer_alias = "other"


def communicator(consumer, **scope):
    return ApplicationCommunicator(consumer.as_asgi(), {"type": "test", **scope})


def test_handler_names_are_importable_from_here():
    assert get_handler_name({"type": "a.b"}) == "a_b"


def test_as_asgi_says_what_it_makes():
    app: Any = Recorder.as_asgi(handled=[1])
    assert app.consumer_class is Recorder
    assert app.consumer_initkwargs == {"handled": [1]}
    assert app.__name__ == "Recorder"
    assert app.__wrapped__ is Recorder


@pytest.mark.parametrize("consumer", [Recorder, SyncRecorder])
async def test_messages_reach_their_handlers(consumer):
    app = communicator(consumer)
    for n in range(5):
        await app.send_input({"type": "test.message", "n": n})
    assert [(await app.receive_output())["n"] for _ in range(5)] == list(range(5))
    await app.send_input({"type": "test.stop"})
    await app.wait()


async def test_sync_handlers_run_elsewhere():
    app = communicator(SyncRecorder)
    await app.send_input({"type": "test.message"})
    assert (await app.receive_output())["thread"] != threading.get_ident()
    await app.send_input({"type": "test.stop"})
    await app.wait()


@pytest.mark.parametrize("consumer", [Recorder, SyncRecorder])
@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "unknown.thing"}, "No handler for message type unknown.thing"),
        ({"type": "_private"}, "Malformed type"),
        ({"text": "x"}, "no 'type'"),
    ],
)
async def test_messages_nobody_handles(consumer, message, text):
    app = communicator(consumer)
    await app.send_input(message)
    with pytest.raises(ValueError, match=text):
        await app.wait()


async def test_each_scope_has_its_own_instance():
    app = Recorder.as_asgi()
    first, second = (ApplicationCommunicator(app, {"type": "test"}) for _ in range(2))
    await first.send_input({"type": "test.fail"})
    with pytest.raises(RuntimeError):
        await first.wait()
    await second.send_input({"type": "test.message", "n": 1})
    assert (await second.receive_output())["n"] == 1
    await second.send_input({"type": "test.stop"})
    await second.wait()


@pytest.mark.parametrize("consumer", [Recorder, SyncRecorder])
async def test_an_error_says_where_it_happened(consumer):
    app = communicator(consumer, path="/ws/room/", user=User(username="ada"))
    await app.send_input({"type": "test.fail"})
    with pytest.raises(RuntimeError) as caught:
        await app.wait()
    (note,) = caught.value.__notes__
    assert f"{consumer.__module__}.{consumer.__qualname__}" in note
    assert "'test.fail'" in note
    assert "'/ws/room/'" in note
    assert "'ada'" in note


@pytest.mark.parametrize(
    ("user", "text"),
    [
        (None, "unknown"),
        (object(), "unknown"),
        (AnonymousUser(), "anonymous"),
        (User(username="ada"), "'ada'"),
    ],
)
def test_users_are_named_without_a_look_up(user, text):
    assert describe_user(user) == text


def test_a_lazy_user_stays_lazy():
    assert describe_user(UserLazyObject()) == "not looked up"
    user = SimpleLazyObject(lambda: User(username="ada"))
    assert describe_user(user) == "not looked up"
    assert str(user) == "ada"
    assert describe_user(user) == "'ada'"


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_the_layer_reaches_the_consumer_by_its_channel():
    app = communicator(Recorder)
    layer = get_channel_layer()
    await app.send_input({"type": "test.message", "n": 0})
    await app.receive_output()
    (name,) = layer.channels
    await layer.send(name, {"type": "test.message", "n": 1})
    assert (await app.receive_output())["n"] == 1
    await app.send_input({"type": "test.stop"})
    await app.wait()
    assert layer.statistics()["channels"] == 0


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_the_alias_picks_the_layer():
    app = communicator(Other)
    await app.send_input({"type": "test.message"})
    await app.receive_output()
    assert len(get_channel_layer("other").channels) == 1
    assert len(get_channel_layer().channels) == 0
    app.stop()


class Asks(Recorder):
    async def channel_layer_reconnected(self, message):
        await self.send({"type": "answer", "n": "told"})


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_consumers_that_define_the_handler_are_told_of_a_reconnection():
    apps = [communicator(Asks), communicator(Recorder)]
    for app in apps:
        await app.send_input({"type": "test.message"})
        await app.receive_output()
    engine_of(get_channel_layer()).local.notify_reconnected({})
    assert (await apps[0].receive_output())["n"] == "told"
    assert await apps[1].receive_nothing()
    for app in apps:
        await app.send_input({"type": "test.stop"})
        await app.wait()


class ThirdPartyLayer:
    """Knows send, receive and new_channel, as third-party layers of 4.3 do."""

    extensions = ()

    def __init__(self):
        self.queue = asyncio.Queue()
        self.failure = None

    async def new_channel(self):
        return "third!party"

    async def send(self, channel, message):
        await self.queue.put(message)

    async def receive(self, channel):
        assert channel == "third!party"
        if self.failure:
            raise self.failure
        return await self.queue.get()


@pytest.fixture
def third_party():
    from channels.layers import channel_layers

    layer = ThirdPartyLayer()
    channel_layers.set("default", layer)
    yield layer
    channel_layers.backends.clear()


async def test_a_layer_that_cannot_push_is_read(third_party):
    app = communicator(Recorder)
    await third_party.send("third!party", {"type": "test.message", "n": 7})
    assert (await app.receive_output())["n"] == 7
    await app.send_input({"type": "test.stop"})
    await app.wait()
    assert [task for task in asyncio.all_tasks() if "ReceiveTask" in repr(task)] == []


async def test_an_error_of_the_layer_comes_through_as_itself(third_party):
    third_party.failure = ConnectionRefusedError("no layer here")
    app = communicator(Recorder)
    await app.send_input({"type": "test.nothing"})
    with pytest.raises((ConnectionRefusedError, ValueError)):
        await app.wait()


class Overridden(InMemoryChannelLayer):
    """A subclass that wants to see what is received."""

    seen: list = []

    async def receive(self, channel):
        message = await super().receive(channel)
        self.seen.append(message)
        return message


@override_settings(CHANNEL_LAYERS={"default": {"BACKEND": f"{__name__}.Overridden"}})
async def test_a_subclass_that_overrides_receive_is_asked():
    app = communicator(Recorder)
    await app.send_input({"type": "test.message"})
    await app.receive_output()
    layer = get_channel_layer()
    (name,) = layer.channels
    await layer.send(name, {"type": "test.message", "n": 1})
    assert (await app.receive_output())["n"] == 1
    assert Overridden.seen == [{"type": "test.message", "n": 1}]
    await app.send_input({"type": "test.stop"})
    await app.wait()
    assert layer.channels == {}


class Connection:
    """A server's connection that pushes."""

    def __init__(self, send_error=None):
        self.messages = []
        self.wakeup = None
        self.sent = asyncio.Queue()
        self.send_error = send_error

    def put(self, message):
        self.messages.append(message)
        if self.wakeup:
            self.wakeup()

    def receive_nowait(self):
        return self.messages.pop(0) if self.messages else None

    def set_wakeup(self, wakeup):
        self.wakeup = wakeup

    async def receive(self):
        raise AssertionError("a pushing connection is not asked")

    async def send(self, message):
        if self.send_error:
            raise self.send_error
        await self.sent.put(message)

    def run(self, consumer):
        scope = {"type": "test", "extensions": {PUSH_EXTENSION: self}}
        return asyncio.ensure_future(consumer.as_asgi()(scope, self.receive, self.send))


async def test_a_server_that_pushes_needs_no_pump():
    connection = Connection()
    task = connection.run(Recorder)
    await asyncio.sleep(0)
    connection.put({"type": "test.message", "n": 3})
    assert (await connection.sent.get())["n"] == 3
    assert len(asyncio.all_tasks()) == 2
    connection.put({"type": "test.stop"})
    await task
    assert connection.wakeup is None


class Late(AsyncConsumer):
    async def websocket_disconnect(self, message):
        await self.send({"type": "websocket.send", "text": "too late"})
        raise StopConsumer

    async def test_message(self, message):
        await self.send({"type": "websocket.send", "text": "in time?"})
        raise StopConsumer


class LateSync(SyncConsumer):
    def websocket_disconnect(self, message):
        self.send({"type": "websocket.send", "text": "too late"})
        raise StopConsumer


@pytest.mark.parametrize(
    ("consumer", "message", "error"),
    [
        (Late, "websocket.disconnect", RuntimeError("after close")),
        (LateSync, "websocket.disconnect", RuntimeError("after close")),
        (Late, "test.message", ConnectionResetError("peer has gone")),
    ],
)
async def test_a_late_send_is_counted_and_no_error(consumer, message, error):
    before = telemetry.counters["consumer.late_send"]
    connection = Connection(send_error=error)
    connection.put({"type": message})
    await connection.run(consumer)
    assert telemetry.counters["consumer.late_send"] == before + 1


class Tireless(Recorder):
    async def test_message(self, message):
        while True:
            await self.send({"type": "websocket.send", "text": "more"})


async def test_sending_on_and_on_to_nobody_leaves_others_their_turns():
    connection = Connection(send_error=ConnectionResetError("peer has gone"))
    connection.put({"type": "test.message"})
    task = connection.run(Tireless)
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("consumer", [Recorder, SyncRecorder])
async def test_an_error_in_time_is_an_error(consumer):
    connection = Connection(send_error=RuntimeError("bad message"))
    connection.put({"type": "test.message"})
    with pytest.raises(RuntimeError, match="bad message"):
        await connection.run(consumer)


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_cancelling_leaves_no_task_channel_or_membership():
    connection = Connection()
    task = connection.run(Recorder)
    await asyncio.sleep(0)
    layer = get_channel_layer()
    (name,) = layer.channels
    await layer.group_add("g", name)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert len(asyncio.all_tasks()) == 1
    assert (layer.channels, layer.groups) == ({}, {})


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_twenty_thousand_connections_leave_nothing():
    app = Recorder.as_asgi()
    layer = get_channel_layer()

    async def connect_and_leave():
        connection = Connection()
        scope = {"type": "test", "extensions": {PUSH_EXTENSION: connection}}
        connection.put({"type": "test.message"})
        connection.put({"type": "test.stop"})
        await app(scope, connection.receive, connection.send)

    for _ in range(200):
        await connect_and_leave()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20_000):
        await connect_and_leave()
    gc.collect()
    assert len(gc.get_objects()) - before < 200
    assert layer.statistics()["channels"] == 0
