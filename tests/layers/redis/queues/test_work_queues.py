"""Named channels: shared among workers, nothing lost when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import textwrap

import pytest

from channels.exceptions import ChannelFull
from channels.layers.redis.connect.topology import OneServer
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.queues import work_queues as queues_module
from tests.layers.redis.tools import PATIENCE, closing, dropped, receive, until


@pytest.fixture
async def layer(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], worker_timeout=0.3)
    async with closing(layer):
        yield layer


async def take(layer, channel="jobs"):
    return await asyncio.wait_for(layer.take(channel), PATIENCE)


async def test_what_is_acknowledged_is_gone(layer, own_server):
    await layer.send("jobs", {"type": "m", "n": 1})
    message, acknowledge = await take(layer)
    assert message == {"type": "m", "n": 1}
    assert layer.statistics()["redis"]["unacknowledged"] == 1
    await acknowledge()
    await acknowledge()
    assert layer.statistics()["redis"]["unacknowledged"] == 0
    assert own_server.all_keys() == []


async def test_a_worker_that_lives_keeps_what_it_has(layer, own_server):
    other = RedisChannelLayer(hosts=[own_server.address], worker_timeout=0.3)
    async with closing(other):
        await layer.send("jobs", {"type": "m"})
        _, acknowledge = await take(layer)
        with pytest.raises(TimeoutError):  # four times as long as the lease
            await asyncio.wait_for(other.take("jobs"), 1.2)
        await acknowledge()


async def test_what_a_dead_worker_had_goes_to_another(layer, own_server, monkeypatch):
    monkeypatch.setattr(queues_module, "LOOK_AGAIN", 0.1)
    code = f"""
        import asyncio, os
        from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.connect.topology import OneServer

        async def main():
            layer = RedisChannelLayer(hosts=[("127.0.0.1", {own_server.port})], worker_timeout=0.3)
            message, acknowledge = await layer.take("jobs")
            os.kill(os.getpid(), 9)

        asyncio.run(main())
    """
    for n in range(3):
        await layer.send("jobs", {"type": "m", "n": n})
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert sorted([(await receive(layer, "jobs"))["n"] for _ in range(3)]) == [0, 1, 2]


async def test_workers_share(layer, own_server):
    other = RedisChannelLayer(hosts=[own_server.address])
    async with closing(other):
        got = []

        async def work(layer):
            while True:
                got.append((await layer.receive("jobs"))["n"])

        workers = [asyncio.ensure_future(work(each)) for each in (layer, layer, other)]
        for n in range(90):
            await layer.send("jobs", {"type": "m", "n": n})
        await until(lambda: len(got) == 90)
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
        assert sorted(got) == list(range(90))


async def test_cancelling_at_any_moment_loses_nothing(layer):
    """A receive is cancelled after each number of turns of the loop it may take."""
    for turns in range(40):
        await layer.send("jobs", {"type": "m", "n": turns})
        receiving = asyncio.ensure_future(layer.receive("jobs"))
        for _ in range(turns):
            await asyncio.sleep(0.0005 * (turns % 4))
        receiving.cancel()
        await asyncio.wait([receiving])
        message = await receive(layer, "jobs") if receiving.cancelled() else receiving.result()
        assert message["n"] == turns
    await until(lambda: layer.statistics()["redis"]["unacknowledged"] == 0)


async def test_capacity_and_expiry(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], channel_capacity={"small*": 1})
    hasty = RedisChannelLayer(hosts=[own_server.address], expiry=0.2)
    async with closing(layer, hasty):
        await layer.send("small-1", {"type": "m", "n": 1})
        with pytest.raises(ChannelFull, match="capacity of 1 unread"):
            await layer.send("small-1", {"type": "m", "n": 2})
        assert (await receive(layer, "small-1"))["n"] == 1
        assert layer.statistics()["dropped"] == {"capacity": 1}
        await hasty.send("small-1", {"type": "m"})
        await asyncio.sleep(0.25)
        await layer.send("small-1", {"type": "m", "n": 3})
        assert (await receive(layer, "small-1"))["n"] == 3
        await hasty.send("jobs", {"type": "m"})
        await asyncio.sleep(0.25)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive("jobs"), 0.1)
        await hasty.send("never-read", {"type": "m"})
        await until(lambda: own_server.all_keys() == [])
        await until(lambda: dropped(layer, "expired") + dropped(hasty, "expired") == 3)


async def test_what_nobody_ever_takes_is_counted_when_it_expires(own_server):
    """By the process that sent it, from async and sync code, and for a group; then nothing is left."""
    layer = RedisChannelLayer(hosts=[own_server.address], expiry=1, worker_timeout=0.3)
    async with closing(layer):
        await layer.send("nobody", {"type": "m"})
        await asyncio.to_thread(layer.sync.send, "nobody-either", {"type": "m"})
        await layer.group_add("g", "nobody-named")
        await layer.group_send("g", {"type": "m"})
        await until(lambda: dropped(layer, "expired") == 3)
        assert [key for key in own_server.all_keys() if b":seen" not in key] == []
        await until(lambda: not redis_engine(layer).node.work_queues._sweeper._timers)
        layer.sync.close()


async def test_a_sender_is_told_that_its_worker_is_deaf(server, caplog):
    """As where two processes have settings with different prefixes: both name their layers."""
    sender = RedisChannelLayer(hosts=[server.address], prefix="web", expiry=0.1)
    worker = RedisChannelLayer(hosts=[server.address], prefix="work")
    async with closing(sender, worker):
        deaf = asyncio.ensure_future(worker.receive("jobs"))
        await sender.send("jobs", {"type": "m"})
        await until(lambda: dropped(sender, "expired") == 1)
        deaf.cancel()
        (told,) = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert "prefix='web'" in told
    assert "with the same layer (a worker names its own when it starts)" in told
    assert "prefix='work'" in repr(worker)


@pytest.mark.parametrize("comes", ["receiver", "sender"])
async def test_what_redis_dropped_with_its_keys_is_counted_by_whoever_comes(own_server, comes):
    """Whoever had sent it is gone: nobody looked when it expired."""
    worker = RedisChannelLayer(hosts=[own_server.address], worker_timeout=0.05)
    gone = RedisChannelLayer(hosts=[own_server.address], expiry=0.05)
    layer = RedisChannelLayer(hosts=[own_server.address], channel_capacity={"jobs": 4})
    await worker.send("jobs", {"type": "m"})
    await take(worker)
    await worker.aclose()
    for _ in range(3):
        await gone.send("jobs", {"type": "m"})
    await gone.aclose()
    await until(lambda: [key for key in own_server.all_keys() if not key.endswith(b":held")] == [])
    async with closing(layer):
        if comes == "sender":
            await layer.send("jobs", {"type": "m"})
        receiving = asyncio.ensure_future(receive(layer, "jobs"))
        left = 4 - dropped(gone, "expired")  # all, unless sending took longer than the expiry
        await until(lambda: dropped(layer, "expired") == left)
        if comes == "receiver":
            await layer.send("jobs", {"type": "m"})
        assert await receiving == {"type": "m"}
        await until(lambda: own_server.all_keys() == [])
        assert dropped(layer, "expired") == left


async def test_what_a_dead_worker_had_is_counted_if_nobody_takes_it_again(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], expiry=1, worker_timeout=0.3)
    worker = RedisChannelLayer(hosts=[own_server.address], worker_timeout=0.3)
    async with closing(layer):
        await layer.send("jobs", {"type": "m"})
        await take(worker)
        await worker.aclose()  # as if it were dead: nobody prolongs the lease
        await until(lambda: dropped(layer, "expired") == 1)
        assert own_server.all_keys() == []


async def test_what_nobody_can_read_is_counted_and_skipped(layer, own_server):
    stranger = RedisChannelLayer(hosts=[own_server.address], symmetric_encryption_keys=["other"])
    async with closing(stranger):
        await stranger.send("jobs", {"type": "m"})
        await layer.send("jobs", {"type": "m", "n": 1})
        assert (await take(layer))[0]["n"] == 1
        await stranger.send("jobs", {"type": "m"})
        await layer.send("jobs", {"type": "m", "n": 2})
        assert (await receive(layer, "jobs"))["n"] == 2
        name = await layer.new_channel()
        await layer.group_add("g", name)
        await stranger.group_send("g", {"type": "m"})
        await layer.group_send("g", {"type": "m", "n": 3})
        assert (await receive(layer, name))["n"] == 3
        assert dropped(layer, "undecodable") == 3


async def test_a_named_member_gets_a_group_message_once_however_many_added_it(layer, own_server):
    other = RedisChannelLayer(hosts=[own_server.address])
    async with closing(other):
        for each in (layer, other):
            await each.group_add("g", "jobs")
        for n in range(5):
            await layer.group_send("g", {"type": "m", "n": n})
        assert [(await receive(other, "jobs"))["n"] for _ in range(5)] == list(range(5))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.receive("jobs"), 0.2)
        for each in (layer, other):
            await each.group_discard("g", "jobs")
            await each.group_discard("g", "jobs")
        await layer.group_send("g", {"type": "m"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.receive("jobs"), 0.2)


async def test_an_acknowledgement_is_repeated_until_redis_has_it(layer, own_server):
    await layer.send("jobs", {"type": "m"})
    _, acknowledge = await take(layer)
    own_server.pause()
    own_server.cut = None
    task = asyncio.ensure_future(acknowledge())
    await asyncio.sleep(0.05)
    own_server.resume()
    await asyncio.wait_for(task, PATIENCE)
    await until(lambda: layer.statistics()["redis"]["unacknowledged"] == 0)


async def test_an_acknowledgement_that_fails_is_kept(layer, own_server):
    await layer.send("jobs", {"type": "m"})
    _, acknowledge = await take(layer)
    own_server.stop()
    await acknowledge()
    assert layer.statistics()["redis"]["unacknowledged"] == 1
    own_server.start()
    await until(lambda: layer.statistics()["redis"]["unacknowledged"] == 0)


async def test_the_news_of_channels_nobody_receives_on_are_not_listened_to(layer, own_server, monkeypatch):
    monkeypatch.setattr(queues_module, "LISTEN_ON", -1.0)
    for n in range(5):
        await layer.send(f"jobs-{n}", {"type": "m"})
        await receive(layer, f"jobs-{n}")
    topics = [topic for topic in own_server.ask("PUBSUB", "CHANNELS", "*") if b"news" in topic]
    assert len(topics) <= 2


async def test_own_channels_can_be_taken_too(layer):
    name = await layer.new_channel()
    await layer.send(name, {"type": "m"})
    message, acknowledge = await layer.take(name)
    assert message == {"type": "m"}
    await acknowledge()


async def test_a_receiver_can_be_cancelled_while_the_client_library_does_not_hear_of_it(layer, monkeypatch):
    connecting, connect = asyncio.Event(), OneServer.connect

    async def deaf(self, place):
        """As ``asyncio.wait_for`` before Python 3.12, if what it waits for has just ended."""
        connecting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
        return await connect(self, place)

    monkeypatch.setattr(OneServer, "connect", deaf)
    receiving = asyncio.create_task(layer.receive("jobs"))
    await asyncio.wait_for(connecting.wait(), PATIENCE)
    receiving.cancel()
    await asyncio.wait([receiving], timeout=PATIENCE)
    assert receiving.cancelled()
    await layer.send("jobs", {"type": "m"})
    assert await receive(layer, "jobs") == {"type": "m"}
