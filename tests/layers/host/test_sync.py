from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from channels.exceptions import ChannelLayerUnavailable, InvalidMessageError
from channels.layers.host import HostChannelLayer
from channels.layers.host.client.reading import _Mode as Mode
from channels.layers.host.engine import host_engine
from channels.layers.host.wire.runtime_dir import RuntimeDirectory

PATIENCE = 20


@pytest.fixture
def make(directory):
    made = []

    def make(**config):
        made.append(HostChannelLayer(path=directory, **config))
        return made[-1]

    yield make
    for layer in made:
        if host_engine(layer).client is not None:
            host_engine(layer).client.close()


def message(n):
    return {"type": "test.message", "n": n}


async def collect(layer, channel, amount):
    return [(await layer.receive(channel))["n"] for _ in range(amount)]


async def test_it_sends_to_channels_and_groups_without_a_loop(make):
    receiver, sender = make(), make()
    name = await receiver.new_channel()
    await receiver.group_add("g", name)

    def work():
        sender.sync.send(name, message(1))
        sender.sync.group_send("g", message(2))
        sender.sync.send("work", message(3))

    thread = threading.Thread(target=work)
    thread.start()
    assert await collect(receiver, name, 2) == [1, 2]
    assert await collect(receiver, "work", 1) == [3]
    thread.join(PATIENCE)


async def test_who_waits_for_the_broker_in_a_coroutine_gets_its_answer(make):
    """The loop that would read it is the one that is kept from reading."""
    layer, sender = make(capacity=10_000), make()
    name = await layer.new_channel()
    layer.attach(name)
    await layer.group_add("g", name)
    reading = host_engine(layer).client._reading
    for n in range(50):
        while reading._mode is Mode.READS:
            await sender.group_send("g", message("until the loop reads"))
            await asyncio.sleep(0.001)
        begun = time.monotonic()
        layer.sync.send("work", message(n))
        assert layer.sync.group_channels("g") == [name]
        assert time.monotonic() - begun < host_engine(layer).settings.timeout
        assert await collect(layer, "work", 1) == [n]


async def test_signal_handlers_may_send(make):
    receiver, sender = make(), make()
    name = await receiver.new_channel()
    await receiver.group_add("g", name)
    before = signal.signal(signal.SIGUSR1, lambda *args: sender.sync.group_send("g", message("signal")))
    try:
        for n in range(50):
            os.kill(os.getpid(), signal.SIGUSR1)
            sender.sync.group_send("g", message(n))
    finally:
        signal.signal(signal.SIGUSR1, before)
    got = await collect(receiver, name, 100)
    assert [n for n in got if n != "signal"] == list(range(50))


def test_mistakes_of_the_caller(make):
    layer = make()
    with pytest.raises(TypeError, match="Channel name must be"):
        layer.sync.send("no spaces", message(1))
    with pytest.raises(TypeError, match="Group name must be"):
        layer.sync.group_send("no spaces", message(1))
    with pytest.raises(InvalidMessageError):
        layer.sync.group_send("g", "text")


def test_it_waits_only_so_long(make, directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    lock = place.try_lock()
    assert lock is not None
    with pytest.raises(ChannelLayerUnavailable, match="No broker of the host layer"):
        make(timeout=0.05).sync.group_send("g", message(1))
    os.close(lock)


async def test_who_is_in_a_group(make):
    one, two = make(), make()
    names = [await layer.new_channel() for layer in (one, two)]
    for layer, name in zip((one, two), names, strict=True):
        await layer.group_add("g", name)
    found = await asyncio.to_thread(one.sync.group_channels, "g")
    assert (found, found.unanswered) == (sorted(names), 0)
    assert await asyncio.to_thread(one.sync.group_count, "g") == 2
    host_engine(one).started_client().features = []
    old = await asyncio.to_thread(one.sync.group_channels, "g")
    assert (old, old.unanswered) == ([names[0]], 1)


async def test_who_sends_more_than_the_broker_takes_waits(make, monkeypatch):
    monkeypatch.setattr("channels.layers.host.client.sender.HIGH_WATER", 0)
    layer, sender = make(), make()
    name = await layer.new_channel()
    await layer.group_add("g", name)

    def send():
        for _ in range(20):
            sender.sync.group_send("g", message("x" * 100_000))
        sender.sync.group_send("g", message("last"))

    await asyncio.to_thread(send)
    assert (await collect(layer, name, 21))[-1] == "last"
