"""Redis is cut, killed, emptied, full, paused and failed over while topics are used."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable

import pytest
from redis.crc import key_slot

from channels.layers.redis.per_loop import LoopConnections
from channels.testing.store_contract.tools import KEPT, Recorder, append, client, offsets, values
from channels.topics.stores.base import Position, PresenceEntry, StoreUnavailable
from channels.topics.stores.redis import RedisStore
from tests.support.redis_servers import Cluster, RedisServer, Sentinels, server_version, wait_until

PATIENCE = 30.0


@contextlib.asynccontextmanager
async def closing(*stores):
    try:
        yield
    finally:
        for store in stores:
            store.sync.close()
            await store.aclose()


async def subscribed(store, *topics):
    recorder = Recorder()
    store.attach(recorder)
    for topic in topics:
        await store.subscribe(topic, recorder)
    return recorder


async def until_done(call, *args):
    """Repeat a call while Redis is away."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await call(*args)
            except StoreUnavailable:
                await asyncio.sleep(0.02)


def in_order(recorder, topic):
    found = offsets(recorder.of(topic))
    assert found == sorted(set(found)), "Publications came twice or out of order."
    return found


@contextlib.asynccontextmanager
async def cut_off(store, server):
    """Cut the subscriptions of a store, and keep it from subscribing again for a while."""
    connections: LoopConnections = store._listener.connections
    subscriber = connections._subscriber
    assert subscriber is not None
    held = asyncio.Lock()
    async with held:
        subscriber._connecting, lock = held, subscriber._connecting
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(PATIENCE):
            while subscriber._interrupted_at is None:
                await asyncio.sleep(0.01)
        yield
    subscriber._connecting = lock


async def test_what_is_published_while_a_receiver_is_cut_off_can_be_read_after_it_is_told(own_server):
    publisher, store = RedisStore([own_server.address]), RedisStore([own_server.address])
    async with closing(publisher, store):
        recorder = await subscribed(store, "t")
        await publisher.publish(append("t", 1))
        await recorder.take("t", 1)
        async with cut_off(store, own_server):
            for n in (2, 3):
                await until_done(publisher.publish, append("t", n))
            await publisher.broadcast(b"missed")
        await recorder.until(lambda: recorder.interruptions)
        assert offsets(recorder.of("t")) == [1]
        epoch = recorder.of("t")[0].epoch
        page = await store.read("t", Position(1, epoch))
        assert (values(page.publications), page.position) == ([2, 3], Position(3, epoch))
        await publisher.publish(append("t", 4))
        assert offsets(await recorder.take("t", 2)) == [1, 4]


async def test_a_server_that_lost_all_begins_new_epochs(own_server):
    store = RedisStore([own_server.address])
    async with closing(store):
        recorder = await subscribed(store, "t")
        first = (await store.publish(append("t", 1))).position
        await recorder.take("t", 1)
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.publish(append("t", "lost"))
        own_server.start()
        again = (await until_done(store.publish, append("t", 2))).position
        await recorder.until(lambda: recorder.interruptions)
        assert again.offset == 1
        assert again.epoch != first.epoch
        assert (await store.read("t")).position == again
        await store.publish(append("t", 3))
        await recorder.until(lambda: 3 in values(recorder.of("t")))


@pytest.mark.parametrize("command", ["FLUSHALL", "restart with its data"])
async def test_an_epoch_ends_with_the_history_of_its_server(own_server, command):
    store = RedisStore([own_server.address])
    async with closing(store):
        await store.publish(append("t", 1))
        first = (await store.read("t")).position
        if command == "FLUSHALL":
            own_server.ask("FLUSHALL")
        else:
            own_server.ask("SAVE")
            own_server.kill()
            own_server.start()
        page = await until_done(store.read, "t")
        assert page.position.epoch != first.epoch
        assert page.position.offset == (0 if command == "FLUSHALL" else 1)
        assert offsets(page.publications) == [1][: page.position.offset]
        position = (await store.publish(append("t", 2))).position
        assert position == Position(page.position.offset + 1, page.position.epoch)


async def test_a_replica_that_missed_something_gives_its_numbers_within_another_epoch(own_server):
    """Else a client would take the new publication 3 for the one that it has seen."""
    with RedisServer("--replicaof", "127.0.0.1", str(own_server.port)) as replica:
        before, after = RedisStore([own_server.address]), RedisStore([replica.address])
        async with closing(before, after):
            for n in (1, 2):
                await before.publish(append("t", n))
            wait_until(lambda: replica.ask("HGET", "topics:{t}:m", "o") == b"2", "the replica has both")
            replica.ask("REPLICAOF", "NO", "ONE")
            seen = (await before.publish(append("t", "only here"))).position
            own_server.kill()
            page = await after.read("t")
            assert (values(page.publications), page.position.offset) == ([1, 2], 2)
            taken = (await after.publish(append("t", "another"))).position
            assert taken.offset == seen.offset == 3
            assert taken.epoch == page.position.epoch != seen.epoch
            assert (await after.publish(append("t", 4))).position == Position(4, taken.epoch)


async def test_a_failover_is_followed_and_told():
    with Sentinels() as servers:
        store = RedisStore([servers.url])
        async with closing(store):
            recorder = await subscribed(store, "t")
            first = (await store.publish(append("t", "before"))).position
            await recorder.take("t", 1)
            wait_until(lambda: servers.replica.ask("EXISTS", "topics:{t}:m"), "the replica has it")
            failing = asyncio.ensure_future(asyncio.to_thread(servers.fail_over))
            sent = 0
            while not failing.done():
                with contextlib.suppress(StoreUnavailable):
                    await store.publish(append("t", sent))
                    sent += 1
                await asyncio.sleep(0.02)
            await failing
            after = (await until_done(store.publish, append("t", "after"))).position
            assert after.epoch != first.epoch
            await recorder.until(lambda: recorder.interruptions)
            last = (await until_done(store.publish, append("t", "last"))).position
            await recorder.until(lambda: "last" in values(recorder.of("t")))
            by_epoch: dict[str, list[int]] = {}
            for event in recorder.of("t"):
                by_epoch.setdefault(event.epoch, []).append(event.offset)
            assert [*by_epoch] == [first.epoch, last.epoch]
            assert all(found == sorted(set(found)) for found in by_epoch.values())
            page = await store.read("t")
            assert page.position == last
            assert offsets(page.publications) == [*range(1, last.offset + 1)]
            # redis-py asks the first sentinel which master it has seen: that may still be the old one
            assert await until_done(asyncio.to_thread, store.sync.read, "t") == page


async def test_a_slot_that_moves_is_followed_and_told():
    with Cluster() as cluster:
        store = RedisStore([cluster.url])
        async with closing(store):
            topic = next(name for n in range(1000) if key_slot((name := f"t{n}").encode()) < 5000)
            recorder = await subscribed(store, topic)
            slot = key_slot(topic.encode())
            cluster.move_slot(slot, 0, 1)  # it is empty
            if server_version() >= (7,):  # before, every node passes on what any node publishes
                await recorder.until(lambda: recorder.interruptions)
            await until_done(store.publish, append(topic, "moved"))
            assert values(await recorder.take(topic, 1)) == ["moved"]


async def test_a_node_of_a_cluster_that_is_away_leaves_the_topics_of_others():
    with Cluster() as cluster:
        store = RedisStore([cluster.url])
        async with closing(store):
            slots = {name: key_slot(name.encode()) for name in (f"t{n}" for n in range(1000))}
            away = next(name for name, slot in slots.items() if slot < 5000)
            there = next(name for name, slot in slots.items() if slot > 6000)
            recorder = await subscribed(store, away, there)
            first = (await store.publish(append(away, 1))).position
            await recorder.take(away, 1)
            cluster.servers[0].kill()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store.publish(append(away, 2)), PATIENCE)
            await until_done(store.publish, append(there, 1))
            assert values(await recorder.take(there, 1)) == [1]
            cluster.servers[0].start()
            again = (await until_done(store.publish, append(away, 3))).position
            assert again.offset == 1
            assert again.epoch != first.epoch
            await recorder.until(lambda: recorder.interruptions)
            await until_done(store.publish, append(away, 4))
            await recorder.until(lambda: 4 in values(recorder.of(away)))
            assert len(recorder.of(there)) == 1


async def test_parts_that_vanish_make_no_wrong_numbers(own_server):
    """As eviction and people do."""
    store = RedisStore([own_server.address])
    async with closing(store):
        for n in (1, 2):
            first = (await store.publish(append("t", n))).position
        own_server.ask("DEL", "topics:{t}:s")
        page = await store.read("t")
        assert (page.publications, page.position) == ([], first)
        assert (await store.publish(append("t", 3))).position == Position(3, first.epoch)
        own_server.ask("DEL", "topics:{t}:m")
        again = (await store.publish(append("t", 4))).position
        assert again.offset == 1
        assert again.epoch != first.epoch
        assert values((await store.read("t")).publications) == [4]


async def test_a_server_without_memory_refuses_whole_publications(own_server):
    store = RedisStore([own_server.address])
    async with closing(store):
        recorder = await subscribed(store, "t")
        await store.publish(append("t", 1))
        own_server.ask("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            await store.publish(append("t", 2, version=5, idempotency_key="k"))
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            store.sync.publish(append("new", 1))
        own_server.ask("CONFIG", "SET", "maxmemory", "0")
        published = await store.publish(append("t", 3, version=5, idempotency_key="k"))
        assert (published.accepted, published.position.offset) == (True, 2)
        assert values(await recorder.take("t", 2)) == [1, 3]
        assert own_server.ask("EXISTS", "topics:{new}:s", "topics:{new}:m") == 0


async def test_nothing_is_published_twice_when_connections_are_cut(own_server):
    """A publication whose reply is lost may be there or not; one with a key is."""
    store = RedisStore([own_server.address])
    async with closing(store):
        recorder = await subscribed(store, "t", "keyed")
        failures = 0
        for n in range(60):
            if n % 6 == 2:
                own_server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try:
                await store.publish(append("t", n))
            except StoreUnavailable:
                failures += 1
            await until_done(store.publish, append("keyed", n, idempotency_key=str(n)))
        page = await store.read("t")
        found = values(page.publications)
        assert found == sorted(set(found))
        assert len(found) >= 60 - failures
        assert values((await store.read("keyed")).publications) == [*range(60)]
        assert values(await recorder.take("t", len(found))) == found
        assert values(await recorder.take("keyed", 60)) == [*range(60)]
        in_order(recorder, "t")


async def test_a_redis_that_is_not_there(own_server):
    own_server.kill()
    hosts = [{"address": f"redis://user:secret@127.0.0.1:{own_server.port}/3"}]
    store, person = RedisStore(hosts), client("c")
    async with closing(store):
        calls: list[Callable[[], Awaitable[object]]] = [
            functools.partial(store.subscribe, "t", Recorder()),
            functools.partial(store.publish, append("t", 1)),
            functools.partial(store.read, "t"),
            functools.partial(store.remove, "t"),
            functools.partial(store.presence_add, "t", person),
            functools.partial(store.presence_remove, "t", person),
            functools.partial(store.presence_renew, [PresenceEntry("t", person)]),
            functools.partial(store.presence, "t"),
            functools.partial(store.presence_stats, "t"),
            functools.partial(store.broadcast, b"m"),
            functools.partial(asyncio.to_thread, store.sync.publish, append("t", 1)),
            functools.partial(asyncio.to_thread, store.sync.read, "t"),
            functools.partial(asyncio.to_thread, store.sync.broadcast, b"m"),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable) as caught:
                await asyncio.wait_for(call(), PATIENCE)
            assert f"redis://127.0.0.1:{own_server.port}/3" in str(caught.value)
            assert "CHANNELS_TOPICS" in str(caught.value)
            assert "CHANNEL_LAYERS" not in str(caught.value)
            assert "secret" not in str(caught.value) + repr(store)


async def test_a_paused_server_hangs_nobody(own_server):
    impatient = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    store = RedisStore([{"host": "127.0.0.1", "port": own_server.port, **impatient}])
    async with closing(store):
        recorder = await subscribed(store, "t")
        own_server.pause()
        for call in (
            store.publish(append("t", 1)),
            store.read("t"),
            store.subscribe("other", recorder),
            asyncio.to_thread(store.sync.publish, append("t", 2)),
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(call, PATIENCE)
            assert time.monotonic() - began < 10
        own_server.resume()
        await recorder.until(lambda: recorder.interruptions)
        await until_done(store.publish, append("t", "after"))
        await recorder.until(lambda: "after" in values(recorder.of("t")))
        in_order(recorder, "t")


async def test_waiting_instead_of_raising_has_an_end(own_server):
    patient = RedisStore([own_server.address], on_unavailable="wait", unavailable_timeout=PATIENCE)
    brief = RedisStore([own_server.address], on_unavailable="wait", unavailable_timeout=0.2)
    async with closing(patient, brief):
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(brief.publish(append("t", 1, KEPT)), PATIENCE)
        publishing = asyncio.ensure_future(patient.publish(append("t", 2)))
        subscribing = asyncio.ensure_future(subscribed(patient, "t"))
        await asyncio.sleep(0.1)
        assert not publishing.done()
        assert not subscribing.done()
        own_server.start()
        assert (await asyncio.wait_for(publishing, PATIENCE)).position.offset == 1
        await asyncio.wait_for(subscribing, PATIENCE)
