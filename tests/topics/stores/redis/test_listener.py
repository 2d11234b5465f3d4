"""What a process is subscribed to: no more than somebody wants, whatever loops come and go."""

from __future__ import annotations

import asyncio

import pytest

from channels import telemetry
from channels.testing.store_contract.tools import Recorder, append, in_threads, values
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.redis import RedisStore

PATIENCE = 30.0


@pytest.fixture
async def store(own_server):
    store = RedisStore([own_server.address])
    yield store
    await store.aclose()


def channels(server):
    return {channel.decode() for channel in server.ask("PUBSUB", "CHANNELS")}


async def until_subscribed(server, *topics):
    """Wait until Redis knows of these subscriptions and no others."""
    expected = {f"topics:{{{topic}}}:s" for topic in topics} | {"topics:control"}
    async with asyncio.timeout(PATIENCE):
        while channels(server) != expected:
            await asyncio.sleep(0.01)


async def test_redis_is_asked_for_what_is_wanted_once(store, own_server):
    one, two = Recorder(), Recorder()
    for recorder in (one, two):
        store.attach(recorder)
        for topic in ("a", "b"):
            await store.subscribe(topic, recorder)
    await until_subscribed(own_server, "a", "b")
    assert own_server.ask("PUBSUB", "NUMSUB", "topics:{a}:s")[1] == 1
    await store.unsubscribe("a", one)
    await store.publish(append("a", 1))
    assert values(await two.take("a", 1)) == [1]
    await until_subscribed(own_server, "a", "b")
    await store.unsubscribe("a", two)
    await until_subscribed(own_server, "b")
    store.detach(one)
    store.detach(two)
    async with asyncio.timeout(PATIENCE):
        while "topics:{b}:s" in channels(own_server):
            await asyncio.sleep(0.01)


async def test_a_subscription_that_failed_is_not_left_behind(store, own_server):
    recorder = Recorder()
    store.attach(recorder)
    await store.subscribe("kept", recorder)
    own_server.kill()
    for topic in ("new", "kept"):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(store.subscribe(topic, recorder), PATIENCE)
    own_server.start()
    await recorder.until(lambda: recorder.interruptions)
    await until_subscribed(own_server, "kept")
    await store.publish(append("kept", 1))
    assert values(await recorder.take("kept", 1)) == [1]


async def test_another_loop_takes_over_when_the_one_that_listens_ends(store, own_server):
    here, listening = asyncio.get_running_loop(), asyncio.Event()
    done = asyncio.Event()

    async def first():
        recorder = Recorder()
        store.attach(recorder)
        await store.subscribe("t", recorder)
        here.call_soon_threadsafe(listening.set)
        await asyncio.to_thread(asyncio.run_coroutine_threadsafe(done.wait(), here).result, PATIENCE)
        store.detach(recorder)

    ending = asyncio.ensure_future(in_threads([lambda: asyncio.run(first())]))
    await asyncio.wait_for(listening.wait(), PATIENCE)
    recorder = Recorder()
    store.attach(recorder)
    await store.subscribe("t", recorder)
    await store.publish(append("t", "before"))
    await recorder.take("t", 1)
    done.set()
    await ending
    await recorder.until(lambda: recorder.interruptions)
    await until_subscribed(own_server, "t")
    await store.publish(append("t", "after"))
    await recorder.until(lambda: "after" in values(recorder.of("t")))
    await store.broadcast(b"m")
    await recorder.messages(1)


async def test_who_attaches_while_redis_is_away_hears_messages_to_all_when_it_is_back(store, own_server):
    own_server.kill()
    counted = asyncio.Event()
    detach = telemetry.attach(
        lambda event, data: counted.set() if event == "topics.redis_not_listening" else None
    )
    recorder = Recorder()
    store.attach(recorder)
    await asyncio.wait_for(counted.wait(), PATIENCE)
    detach()
    own_server.start()
    other = RedisStore([own_server.address])
    async with asyncio.timeout(PATIENCE):
        while not recorder.controls:
            await other.broadcast(b"hello")
            await asyncio.sleep(0.02)
    assert recorder.controls[0] == b"hello"
    await other.aclose()


async def test_who_is_gone_before_redis_is_there_is_not_waited_for(store, own_server):
    own_server.kill()
    recorder = Recorder()
    store.attach(recorder)
    store.detach(recorder)
    async with asyncio.timeout(PATIENCE):
        while store._listener._tasks:
            await asyncio.sleep(0.02)


async def test_what_is_no_event_is_counted(store, own_server):
    counted = []
    detach = telemetry.attach(lambda event, data: counted.append(data) if "undecodable" in event else None)
    recorder = Recorder()
    store.attach(recorder)
    await store.subscribe("t", recorder)
    for data in ("?", "", "Px", "P1 e \x01", "J\x01"):
        own_server.ask("PUBLISH", "topics:{t}:s", data)
    await store.publish(append("t", 1))
    assert values(await recorder.take("t", 1)) == [1]
    detach()
    assert [each["topic"] for each in counted] == ["t"] * 5
