"""What users override, set and replace in layers, workers and communicators: all of it is honoured.

These tests pass with the originals as well, unless they say otherwise.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from unittest import mock
from unittest.mock import AsyncMock

import pytest
from django.test import override_settings

from channels.consumer import SyncConsumer
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer
from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from channels.worker import Worker
from tests.compat.echoes import IN_MEMORY, TIMEOUT, Echo, SyncEcho, connected, said

pytestmark = pytest.mark.django_db(transaction=True)


# --- layers ------------------------------------------------------------------------------------------------


class CountingLayer(InMemoryChannelLayer):
    """Overrides what it can; each call leaves a word."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.calls: list[str] = []

    async def new_channel(self, prefix: str = "specific.") -> str:
        self.calls.append("new_channel")
        return await super().new_channel("counted")

    async def send(self, channel: str, message: Any) -> None:
        self.calls.append("send")
        await super().send(channel, message)

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        self.calls.append("receive")
        return {**message, "text": message["text"] + "!"}

    async def group_add(self, group: str, channel: str) -> None:
        self.calls.append("group_add")
        await super().group_add(group, channel)

    async def group_send(self, group: str, message: Any) -> None:
        self.calls.append("group_send")
        await super().group_send(group, message)

    async def group_discard(self, group: str, channel: str) -> None:
        self.calls.append("group_discard")
        await super().group_discard(group, channel)


@pytest.mark.parametrize("base", [Echo, SyncEcho])
@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_a_layer_whose_methods_are_overridden(base: Any) -> None:
    if base is Echo:

        async def told(self: Any, event: Any) -> None:
            await self.send(text_data=event["text"])
    else:

        def told(self: Any, event: Any) -> None:  # type: ignore[misc]
            self.send(text_data=event["text"])

    consumer: Any = type("Told", (base,), {"groups": ["g"], "told": told})
    layer = CountingLayer()
    before = channel_layers.set("default", layer)
    try:
        socket = await connected(consumer.as_asgi())
        (channel,) = layer.groups["g"]
        assert channel.startswith("counted")
        await layer.group_send("g", {"type": "told", "text": "group"})
        assert await socket.receive_from(timeout=TIMEOUT) == "group!"
        await layer.send(channel, {"type": "told", "text": "one"})
        assert await socket.receive_from(timeout=TIMEOUT) == "one!"
        await socket.disconnect(timeout=TIMEOUT)
    finally:
        channel_layers.set("default", before)
    assert {"new_channel", "group_add", "group_send", "send", "receive", "group_discard"} <= set(layer.calls)


async def test_receive_replaced_on_the_instance_of_a_layer() -> None:
    layer = InMemoryChannelLayer()
    before = channel_layers.set("default", layer)
    inner = layer.receive

    async def receive(channel: str) -> Any:
        return {**await inner(channel), "text": "replaced"}

    class Told(Echo):
        async def told(self, event: Any) -> None:
            await self.send(text_data=event["text"])

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.channel_layer.send(self.channel_name, {"type": "told", "text": text_data})

    layer.receive = receive
    try:
        assert await said(Told.as_asgi()) == "replaced"
    finally:
        channel_layers.set("default", before)


@pytest.mark.parametrize("base", [Echo, SyncEcho])
@pytest.mark.filterwarnings("error::RuntimeWarning")
async def test_a_mock_in_place_of_the_layer(base: Any) -> None:
    async def never(channel: str) -> None:
        await asyncio.Future()

    layer = AsyncMock(receive=never)
    layer.new_channel.return_value = "specific.name"
    with mock.patch("channels.consumer.get_channel_layer", return_value=layer):
        socket = await connected(type("Told", (base,), {"groups": ["g"]}).as_asgi())  # type: ignore[attr-defined]
        await socket.disconnect(timeout=TIMEOUT)
    assert [call[0] for call in layer.mock_calls] == ["new_channel", "group_add", "group_discard"]
    del socket, layer
    gc.collect()  # a coroutine that nobody awaited would be told of here


async def test_the_grammar_of_names_and_the_capacity_can_be_overridden() -> None:
    class Loose(InMemoryChannelLayer):
        def require_valid_group_name(self, name: Any) -> bool:
            return True

        def get_capacity(self, channel: str) -> int:
            return 1

    layer = Loose(capacity=50)
    await layer.group_add("any thing/at all", "a")
    await layer.group_send("any thing/at all", {"type": "x"})
    await layer.group_send("any thing/at all", {"type": "over"})
    assert await layer.receive("a") == {"type": "x"}
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(layer.receive("a"), 0.05)


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
def test_settings_of_layers_are_read_late() -> None:
    first = get_channel_layer()
    changed = {"default": {**IN_MEMORY["default"], "CONFIG": {"capacity": 3}}}
    with override_settings(CHANNEL_LAYERS=changed):
        assert get_channel_layer() is not first
        assert get_channel_layer().capacity == 3
    with override_settings(CHANNEL_LAYERS={}):
        assert get_channel_layer() is None


# --- worker and communicators ------------------------------------------------------------------------------


async def test_a_worker_with_its_own_listener() -> None:
    handled = asyncio.Event()

    class Prints(SyncConsumer):
        def test_print(self, message: Any) -> None:
            texts.append(message["text"])
            loop.call_soon_threadsafe(handled.set)

    class Named(Worker):
        async def listener(self, channel: str) -> None:
            listened.append(channel)
            await super().listener(channel)

    loop = asyncio.get_running_loop()
    texts: list[str] = []
    listened: list[str] = []
    layer = InMemoryChannelLayer()
    worker = Named(Prints.as_asgi(), ["a", "b"], layer, max_applications=5)
    task = asyncio.ensure_future(worker.handle())
    await layer.send("b", {"type": "test.print", "text": "hello"})
    await asyncio.wait_for(handled.wait(), TIMEOUT)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (texts, sorted(listened)) == (["hello"], ["a", "b"])


async def test_a_communicator_with_its_own_scope() -> None:
    class WithUser(WebsocketCommunicator):
        def __init__(self, *args: Any, user: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scope["user"] = user

        async def receive_output(self, timeout: float | None = 1) -> Any:
            outputs.append(timeout)
            return await super().receive_output(timeout)

    class Who(Echo):
        async def connect(self) -> None:
            await self.accept(subprotocol=self.scope["user"])

    outputs: list[Any] = []
    assert await WithUser(Who.as_asgi(), "/", user="ada").connect(timeout=TIMEOUT) == (True, "ada")
    assert outputs == [TIMEOUT]


async def test_an_application_communicator_used_as_it_is() -> None:
    application = ApplicationCommunicator(SyncEcho.as_asgi(), {"type": "websocket", "path": "/"})
    await application.send_input({"type": "websocket.connect"})
    assert (await application.receive_output(timeout=TIMEOUT))["type"] == "websocket.accept"
    await application.send_input({"type": "websocket.disconnect", "code": 1000})
    await application.wait(timeout=TIMEOUT)
