"""Many loops, threads and processes on one layer."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from tests.layers.redis.tools import PATIENCE, closing, dropped, receive, until


class LoopThread:
    """An event loop in a thread, as a server in the tests' process has it."""

    def __init__(self):
        self.loop: Any = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._started.wait(PATIENCE)

    async def _main(self):
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._started.set()
        await self._stop.wait()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    async def arun(self, coroutine):
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def end(self):
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)


@pytest.fixture
def layer(server):
    return RedisChannelLayer(hosts=[server.address], prefix="loops")


def clients(server):
    client = server.client()
    try:
        return [line for line in client.client_list() if not line["cmd"].startswith("client")]
    finally:
        client.close()


async def own_member(layer, group="g"):
    name = await layer.new_channel()
    await layer.group_add(group, name)
    return name


@pytest.fixture
def _no_remains_of_others():
    """What other tests left to the collector is no fault of the test that collects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("_no_remains_of_others")
def test_every_call_from_sync_code_may_have_a_loop_of_its_own(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    for n in range(5):
        async_to_sync(layer.send)("queue", {"type": "m", "n": n})
        async_to_sync(layer.group_send)("g", {"type": "m"})
        assert async_to_sync(layer.receive)("queue")["n"] == n
    assert len(layer._layers) == 0
    del layer
    gc.collect()
    assert clients(own_server) == []


@pytest.mark.filterwarnings("ignore")
def test_loops_that_are_closed_without_their_tasks_being_cancelled(server):
    """Nobody should, but 4.3 lets them: the next call works, with connections of its own."""
    layer = RedisChannelLayer(hosts=[server.address], prefix="closed")
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(layer.group_send("g", {"type": "m"}))
        loop.run_until_complete(layer.new_channel())
        loop.close()
    assert asyncio.run(_round_trip(layer))["type"] == "m"
    assert len(layer._layers) == 0
    del loop, layer
    gc.collect()


async def _round_trip(layer):
    name = await own_member(layer, "after")
    await layer.group_send("after", {"type": "m"})
    return await receive(layer, name)


async def test_two_loops_share_the_subscriptions(layer):
    other = LoopThread()
    try:
        async with closing(layer):
            here = await own_member(layer)
            there = await other.arun(own_member(layer))
            await layer.group_send("g", {"type": "m", "n": 1})
            await other.arun(layer.group_send("g", {"type": "m", "n": 2}))
            assert [(await receive(layer, here))["n"] for _ in range(2)] == [1, 2]
            assert [(await other.arun(receive(layer, there)))["n"] for _ in range(2)] == [1, 2]
            await other.arun(layer.group_discard("g", there))
            await layer.group_discard("g", here)
            topic = redis_engine(layer).node.names.topic("group", "g")
            await until(lambda: not redis_engine(layer).node.connections.confirmed(topic))
    finally:
        await asyncio.to_thread(other.end)


async def test_another_loop_takes_over_when_the_one_with_the_subscriptions_ends(layer):
    first = LoopThread()
    await first.arun(own_member(layer, "elsewhere"))
    async with closing(layer):
        here = await own_member(layer)
        source = layer.attach(here, reconnect_notice=True)
        told = asyncio.Event()
        source.set_wakeup(told.set)
        await layer.group_send("nobody", {"type": "m"})
        await asyncio.to_thread(first.end)
        await asyncio.wait_for(told.wait(), PATIENCE)
        assert source.receive_nowait()["type"] == "channel_layer.reconnected"
        await layer.group_send("g", {"type": "m"})
        assert (await receive(layer, here))["type"] == "m"


async def test_closing_hands_over_too(layer):
    other = LoopThread()
    try:
        here = await own_member(layer)
        there = await other.arun(own_member(layer))
        await layer.aclose()
        assert layer._layers.keys() == {other.loop}
        topic = redis_engine(layer).node.names.topic("group", "g")
        await until(lambda: redis_engine(layer).node.connections.confirmed(topic))
        await other.arun(layer.group_send("g", {"type": "m"}))
        assert (await other.arun(receive(layer, there)))["type"] == "m"
        assert (await receive(layer, here))["type"] == "m"
        await layer.aclose()
    finally:
        await asyncio.to_thread(other.end)


async def test_a_loop_that_stands_still_is_taken_over_from(layer):
    loop = asyncio.new_event_loop()
    await asyncio.to_thread(loop.run_until_complete, own_member(layer))
    async with closing(layer):
        here = await own_member(layer)
        await layer.group_send("g", {"type": "m"})
        assert (await receive(layer, here))["type"] == "m"
    await asyncio.to_thread(loop.run_until_complete, layer.aclose())
    loop.close()


async def test_a_process_has_two_connections_however_many_consumers(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        names = await asyncio.gather(*(own_member(layer, f"g{n % 10}") for n in range(100)))
        for n in range(10):
            await layer.group_send(f"g{n}", {"type": "m"})
        await asyncio.gather(*(receive(layer, name) for name in names))
        assert len(clients(own_server)) == 2
    await until(lambda: clients(own_server) == [])


async def test_thousands_of_connects_leave_nothing(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        await own_member(layer, "warm")
        await layer.group_send("warm", {"type": "m"})

        async def connect_and_go(n):
            name = await layer.new_channel()
            source = layer.attach(name)
            await layer.group_add(f"room-{n % 50}", name)
            await layer.group_send(f"room-{n % 50}", {"type": "m"})
            source.receive_nowait()
            layer.detach(name)

        tasks = len(asyncio.all_tasks())
        for start in range(0, 5000, 100):
            await asyncio.gather(*(connect_and_go(start + n) for n in range(100)))
        await until(lambda: layer.statistics()["redis"]["topics"] == 4)
        after = layer.statistics()
        assert (after["groups"], after["memberships"]) == (1, 1)
        assert len(asyncio.all_tasks()) <= tasks
        assert own_server.all_keys() == []
        assert len(own_server.ask("PUBSUB", "CHANNELS", "*")) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_is_a_process_of_its_own(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    prefix = layer.client_prefix
    layer.sync.send("queue", {"type": "m", "who": "parent"})
    parent_ends, child_ends = os.pipe()
    child = os.fork()
    if child == 0:  # everything that can fail is told through the pipe
        try:
            layer.sync.send("queue", {"type": "m", "who": "child"})
            async_to_sync(layer.send)("queue", {"type": "m", "who": "child's loop"})
            os.write(child_ends, b"same" if layer.client_prefix == prefix else b"done")
        except BaseException as error:
            os.write(child_ends, repr(error).encode()[:500])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(parent_ends, 500) == b"done"
    os.close(parent_ends)
    os.close(child_ends)
    layer.sync.send("queue", {"type": "m", "who": "parent again"})
    got = [async_to_sync(layer.receive)("queue")["who"] for _ in range(4)]
    assert got == ["parent", "child", "child's loop", "parent again"]
    layer.sync.close()


async def test_a_channel_of_another_process(server):
    ours, theirs = (RedisChannelLayer(hosts=[server.address], prefix="two") for _ in range(2))
    async with closing(ours, theirs):
        name = await theirs.new_channel()
        await ours.send(name, {"type": "direct"})
        assert (await receive(theirs, name))["type"] == "direct"
        await ours.group_add("g", name)
        await ours.group_send("g", {"type": "to the group"})
        assert (await receive(theirs, name))["type"] == "to the group"
        await ours.group_discard("g", name)
        assert theirs.statistics()["memberships"] == 0
        await asyncio.to_thread(ours.sync.send, name, {"type": "sync"})
        assert (await receive(theirs, name))["type"] == "sync"
        with pytest.raises(AssertionError, match="Wrong client prefix"):
            await ours.receive(name)


async def test_a_channel_of_a_process_that_has_ended(layer):
    async with closing(layer):
        await layer.send("specific.gone!x", {"type": "m"})
        await asyncio.to_thread(layer.sync.send, "specific.gone!x", {"type": "m"})
        assert dropped(layer, "unreachable") == 2
        await layer.group_add("g", "specific.gone!x")
        await layer.group_discard("g", "specific.gone!x")


async def test_a_process_that_does_not_answer(server):
    layer = RedisChannelLayer(hosts=[{"host": "127.0.0.1", "port": server.port, "socket_timeout": 0.2}])
    deaf = RedisChannelLayer(hosts=[server.address])
    async with closing(layer, deaf):
        name = await deaf.new_channel()
        redis_engine(deaf).node.connections._subscriber.retired = True
        with pytest.raises(RedisUnavailable, match="did not answer"):
            await layer.group_add("g", name)
