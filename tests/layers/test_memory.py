from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from channels.exceptions import ChannelFull, InvalidMessageError
from channels.layers import InMemoryChannelLayer, channel_layers


@pytest.fixture
def layer():
    return InMemoryChannelLayer(capacity=3)


async def nothing_on(layer, channel):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(channel), 0.02)


async def test_send_and_receive(layer):
    await layer.send("chan", {"type": "test", "text": "Ahoy-hoy!"})
    assert await layer.receive("chan") == {"type": "test", "text": "Ahoy-hoy!"}
    assert layer.channels == {}


async def test_messages_wait_for_a_name_nobody_reads_yet(layer):
    name = await layer.new_channel()
    await layer.send(name, {"type": "early"})
    assert (await layer.receive(name))["type"] == "early"


async def test_the_receiver_does_not_see_what_the_sender_changes_later(layer):
    message: dict[str, Any] = {"type": "test", "items": [1]}
    await layer.group_add("g", "a")
    await layer.group_add("g", "b")
    await layer.group_send("g", message)
    message["items"].append(2)
    first = await layer.receive("a")
    first["items"].append(3)
    assert (await layer.receive("b"))["items"] == [1]


async def test_capacity(layer):
    for _ in range(3):
        await layer.send("chan", {"type": "test"})
    with pytest.raises(ChannelFull):
        await layer.send("chan", {"type": "test"})
    await layer.group_add("g", "chan")
    await layer.group_send("g", {"type": "test"})
    assert layer.statistics()["dropped"] == {"capacity": 2}


async def test_tests_may_look_into_a_channel(layer):
    await layer.send("chan", {"type": "test"})
    channel = layer.channels["chan"]
    assert (channel.qsize(), channel.empty()) == (1, False)
    await layer.receive("chan")
    assert (channel.qsize(), channel.empty()) == (0, True)


async def test_groups(layer):
    names = [await layer.new_channel(prefix=f"test-{n}") for n in range(3)]
    for name in names:
        await layer.group_add("group", name)
    await layer.group_discard("group", names[1])
    await layer.group_discard("group", "never-there")
    await layer.group_send("group", {"type": "message"})
    assert (await layer.receive(names[0]))["type"] == "message"
    assert (await layer.receive(names[2]))["type"] == "message"
    await nothing_on(layer, names[1])
    await layer.group_send("nobody", {"type": "message"})


async def test_new_names_differ_even_with_a_seeded_random(layer):
    random.seed(1)
    first = await layer.new_channel()
    random.seed(1)
    assert await layer.new_channel() != first
    assert first.startswith("specific.inmemory!")
    layer.require_valid_channel_name(first)


@pytest.mark.parametrize("message", [None, "text", [1], 5])
async def test_what_is_no_message(layer, message):
    for call in (layer.send("c", message), layer.group_send("g", message)):
        with pytest.raises(InvalidMessageError, match="not a dict but") as caught:
            await call
        assert isinstance(caught.value, AssertionError)


async def test_names_are_checked_everywhere(layer):
    for call in (
        layer.send("a b", {}),
        layer.receive("a b"),
        layer.group_send("a b", {}),
        layer.group_add("a b", "c"),
        layer.group_add("g", "a b"),
        layer.group_discard("a b", "c"),
    ):
        with pytest.raises(TypeError, match="name must be a valid unicode string"):
            await call


async def test_flush_and_close(layer):
    await layer.send("chan", {"type": "test"})
    await layer.group_add("g", "chan")
    await layer.flush()
    assert (layer.channels, layer.groups) == ({}, {})
    await layer.close()
    await layer.aclose()


def test_it_says_what_it_is(layer):
    assert repr(layer) == "<InMemoryChannelLayer capacity=3 expiry=60s, this process only>"


def test_settings_of_other_backends_do_no_harm():
    assert InMemoryChannelLayer(hosts=[("localhost", 6379)]).capacity == 100


async def test_sync_code_in_threads_reaches_consumers(layer):
    async def wait():
        return [(await layer.receive("chan"))["n"] for _ in range(20)]

    def send():
        for n in range(20):
            async_to_sync(layer.send)("chan", {"type": "test", "n": n})

    layer = InMemoryChannelLayer()
    reader = asyncio.ensure_future(wait())
    await sync_to_async(send, thread_sensitive=False)()
    assert await asyncio.wait_for(reader, 10) == list(range(20))


async def test_attach_and_detach(layer):
    name = await layer.new_channel()
    source = layer.attach(name)
    await layer.group_add("g", name)
    await layer.group_send("g", {"type": "test"})
    assert source.receive_nowait() == {"type": "test"}
    layer.detach(name)
    assert layer.statistics()["memberships"] == 0


async def test_the_sync_face(layer):
    await layer.group_add("g", "chan")
    layer.sync.send("chan", {"type": "one"})
    layer.sync.group_send("g", {"type": "two"})
    assert [(await layer.receive("chan"))["type"] for _ in range(2)] == ["one", "two"]
    with pytest.raises(InvalidMessageError):
        layer.sync.send("chan", None)
    with pytest.raises(TypeError):
        layer.sync.group_send("a b", {})


class Anything:
    """What only a deep copy can carry."""

    def __init__(self, inside: Any) -> None:
        self.inside = inside


async def test_a_deep_copy_carries_anything() -> None:
    layer = InMemoryChannelLayer(deep_copy=True)
    sent: dict[str, Any] = {"type": "m", "value": Anything([1]), "set": {frozenset({2})}}
    names = [await layer.new_channel() for _ in range(3)]
    for name in names:
        await layer.group_add("g", name)
    attached: Any = layer.attach(names[2])
    await layer.group_send("g", sent)
    await layer.send(names[0], sent)
    received = [await layer.receive(name) for name in (names[0], names[0], names[1])]
    received.append(attached.receive_nowait())
    sent["value"].inside.append(2)
    received[0]["value"].inside.append(3)
    assert [message["value"].inside for message in received] == [[1, 3], [1], [1], [1]]
    assert all(type(message["value"]) is Anything for message in received)


async def test_a_deep_copy_in_a_room_that_is_served_in_slices() -> None:
    layer = InMemoryChannelLayer(deep_copy=True)
    sources: list[Any] = []
    for _ in range(300):
        name = await layer.new_channel()
        sources.append(layer.attach(name))
        await layer.group_add("g", name)
    sent: dict[str, Any] = {"type": "m", "value": Anything([1])}
    await layer.group_send("g", sent)
    sent["value"].inside.append(2)
    while not len(sources[-1]):
        await asyncio.sleep(0)
    assert [source.receive_nowait()["value"].inside for source in sources] == [[1]] * 300


async def test_what_is_refused_says_how_it_could_be_carried() -> None:
    layer = InMemoryChannelLayer()
    with pytest.raises(
        TypeError, match=r"Anything at message.'value'. cannot travel .*CONFIG\['deep_copy'\]"
    ):
        await layer.send("x", {"type": "m", "value": Anything(1)})


def test_the_setting_for_tests(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "TEST_CONFIG": {"deep_copy": True},
        }
    }
    layer = channel_layers.make_test_backend("default")
    layer.sync.send("x", {"type": "m", "value": Anything(1)})
    assert layer.channels["x"].receive_nowait()["value"].inside == 1


async def test_who_is_in_a_group(layer):
    names = [await layer.new_channel() for _ in range(2)]
    for name in names:
        await layer.group_add("g", name)
    assert await layer.group_channels("g") == layer.sync.group_channels("g") == sorted(names)
    assert await layer.group_count("g") == layer.sync.group_count("g") == 2
    assert (await layer.group_channels("nobody")).unanswered == 0
    with pytest.raises(TypeError, match="Group name must be"):
        layer.sync.group_channels("no spaces")
