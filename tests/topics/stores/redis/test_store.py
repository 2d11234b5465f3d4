"""What the store over Redis does beside the contract: forks, signals, round trips, memory, settings."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels.testing.store_contract.tools import Recorder, append, client, offsets, values
from channels.topics.stores.base import PresenceEntry, Retention, StoreUnavailable
from channels.topics.stores.manager import get_store
from channels.topics.stores.redis import RedisStore

PATIENCE = 30.0


@pytest.fixture
async def store(own_server):
    store = RedisStore([own_server.address])
    yield store
    store.sync.close()
    await store.aclose()


def calls(server):
    """How often each command was called, by clients or scripts."""
    found = server.client().info("commandstats")
    return {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in found.items()}


def reads(server):
    return server.client().info("stats")["total_reads_processed"]


async def test_a_publication_is_one_command_and_those_of_one_turn_one_write(store, own_server):
    await asyncio.gather(*(store.publish(append("t", n)) for n in range(3)))  # connects, sends the script
    own_server.ask("CONFIG", "RESETSTAT")
    before = reads(own_server)
    await asyncio.gather(*(store.publish(append("t", n)) for n in range(100)))
    after, counts = reads(own_server), calls(own_server)
    assert counts["evalsha"] == 100
    assert counts["xadd"] == counts["publish"] == 100
    assert "eval" not in counts
    assert after - before < 20  # the test's own included
    own_server.ask("CONFIG", "RESETSTAT")
    await asyncio.gather(*(store.publish(append("t", n, Retention())) for n in range(100)))
    counts = calls(own_server)
    assert counts["publish"] == 100
    assert "evalsha" not in counts


async def test_topics_are_noted_once_however_many_come(store, own_server):
    await asyncio.gather(*(store.presence_add("t", client(str(n))) for n in range(3)))
    own_server.ask("CONFIG", "RESETSTAT")
    for n in range(100):
        await store.presence_add("t", client(str(n)))
    counts = calls(own_server)
    assert counts["evalsha"] == 100
    assert own_server.ask("ZRANGE", "topics:leases", "0", "-1") == [b"1t"]


async def test_a_topic_that_lapsed_is_told_twice_as_who_heard_of_it_may_die(own_server):
    store = RedisStore([own_server.address], presence_lease=0.1)
    await store.presence_add("t", client("c"))
    told = []
    async with asyncio.timeout(PATIENCE):
        while own_server.ask("EXISTS", "topics:leases"):
            told += await store.lapsed()
            await asyncio.sleep(0.02)
    assert told == ["t", "t"]
    await store.aclose()


async def test_presence_costs_as_much_for_many_as_for_few(store, own_server):
    await store.presence_renew([PresenceEntry("t", client(str(n), str(n))) for n in range(2000)])
    own_server.ask("CONFIG", "RESETSTAT")
    await store.presence_add("t", client("one more"), announce=True)
    await store.presence_remove("t", client("one more"), announce=True)
    assert await store.presence_stats("t") == (2000, 2000)
    counts = calls(own_server)
    assert sum(counts.get(name, 0) for name in ("hgetall", "hkeys", "hvals", "zrange")) == 0
    assert counts["zrangebyscore"] == 3  # what lapsed, of which there is nothing
    assert sum(counts.values()) < 60


async def test_the_clients_of_a_process_are_renewed_with_few_commands(store, own_server):
    entries = [PresenceEntry(f"t{n % 2}", client(str(n))) for n in range(1000)]
    await store.presence_renew(entries)
    own_server.ask("CONFIG", "RESETSTAT")
    await store.presence_renew(entries)
    assert calls(own_server)["evalsha"] == 2
    assert "hset" not in calls(own_server)


async def test_any_number_of_topics_is_renewed(store, own_server):
    """More than a connection has waiting at a time; what others ask meanwhile is answered."""
    entries = [PresenceEntry(f"t{n}", client("c")) for n in range(3000)]
    renewing = asyncio.ensure_future(store.presence_renew(entries))
    while not renewing.done():
        await store.publish(append("between", 1))
    await renewing
    assert (await store.read("between", limit=0)).position.offset > 2
    assert await store.presence_stats("t2999") == (1, 1)


async def test_topics_leave_nothing_behind_when_their_time_is_over(store, own_server):
    retention = Retention(10, 0.2, position_ttl=0.3, idempotency_ttl=0.2)
    await store.publish(append("t", 1, retention, idempotency_key="k"))
    await store.publish(append("versions", 1, Retention(position_ttl=0.3), version=1))
    await store.publish(append("none", 1, Retention()))
    assert {key.decode() for key in own_server.all_keys()} == {
        *("topics:{t}:s", "topics:{t}:m", "topics:{t}:i:k", "topics:{versions}:m"),
    }
    brief = RedisStore([own_server.address], presence_lease=0.1)
    await brief.presence_add("t", client("c"))
    async with asyncio.timeout(PATIENCE):
        while own_server.all_keys():
            await brief.lapsed()
            await asyncio.sleep(0.05)
    await brief.aclose()


async def test_every_key_has_an_end(store, own_server):
    await store.publish(append("t", 1, idempotency_key="k"))
    await store.publish(append("v", 1, Retention(), version=1))
    await store.read("read only")
    await store.presence_add("t", client("c"))
    keys = own_server.all_keys()
    assert len(keys) == 9
    assert all(own_server.ask("PTTL", key) > 0 for key in keys)


def test_a_forked_process_begins_with_nothing(own_server):
    store = RedisStore([own_server.address])

    async def here():
        recorder = Recorder()
        store.attach(recorder)
        await store.subscribe("t", recorder)
        store.sync.publish(append("t", "before"))
        await recorder.take("t", 1)
        child = os.fork()
        if not child:
            status = 1
            try:
                threading.Thread(target=lambda: asyncio.run(there())).start()
                status = 0
            finally:
                for thread in threading.enumerate():
                    if thread is not threading.current_thread():
                        thread.join(PATIENCE)
                os._exit(status)
        await recorder.take("t", 3)
        store.sync.publish(append("t", "after"))
        assert values(await recorder.take("t", 4)) == ["before", "sync", "async", "after"]
        assert await asyncio.to_thread(os.waitpid, child, 0) == (child, 0)
        await store.aclose()

    async def there():
        recorder = Recorder()
        store.attach(recorder)
        await store.subscribe("t", recorder)
        store.sync.publish(append("t", "sync"))
        await store.publish(append("t", "async"))
        await recorder.take("t", 2)
        await store.aclose()

    asyncio.run(here())


def test_a_signal_handler_publishes(own_server):
    """Whatever the thread that it interrupts is doing."""
    store, done = RedisStore([own_server.address]), threading.Event()
    store.sync.publish(append("t", "first"))

    def handle(number, frame):
        store.sync.publish(append("t", "signal"))
        done.set()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        n = 0
        while not done.is_set():
            store.sync.publish(append("t", n))
            n += 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert values(store.sync.read("t").publications) == ["first", *_with_signal(n, store)]
    assert offsets(store.sync.read("t").publications) == [*range(1, n + 3)]
    store.sync.close()


def _with_signal(amount, store):
    found = values(store.sync.read("t").publications)[1:]
    numbers = [each for each in found if each != "signal"]
    assert numbers == [*range(amount)]
    assert found.count("signal") == 1
    return found


def test_the_setting_makes_one(own_server):
    backend = "channels.topics.stores.redis.RedisStore"
    config = {"hosts": [own_server.url], "prefix": "mine", "presence_lease": 5}
    with override_settings(CHANNELS_TOPICS={"STORES": {"default": {"BACKEND": backend, "CONFIG": config}}}):
        store = get_store()
        assert isinstance(store, RedisStore)
        store.sync.publish(append("t", 1))
        assert store.presence_lease == 5
        assert repr(store) == f"<RedisStore {own_server.url}/0 prefix='mine'>"
        assert set(own_server.all_keys()) == {b"mine:{t}:s", b"mine:{t}:m"}
        store.sync.close()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"prefix": "a{b"}, "prefix"),
        ({"prefix": b"a"}, "prefix"),
        ({"presence_lease": 0}, "presence_lease"),
        ({"presence_lease": "1"}, "presence_lease"),
        ({"on_unavailable": "ignore"}, "on_unavailable"),
        ({"unavailable_timeout": -1}, "unavailable_timeout"),
    ],
)
def test_options_out_of_range_are_named(config, named):
    with pytest.raises(ImproperlyConfigured, match=f"`{named}`"):
        RedisStore(**config)


async def test_the_rights_that_the_docs_name_are_enough(own_server):
    page = (Path(__file__).parents[4] / "docs/howto/redis.md").read_text()
    (found,) = re.findall(r"\*\*Rights\*\* for an ACL user: `([^`]+)`", page)
    rights = found.replace("asgi", "topics").split()
    assert "+info" in rights
    own_server.ask("ACL", "SETUSER", "topics", "on", ">pw", "resetkeys", "resetchannels", "-@all", *rights)
    store = RedisStore([{"address": f"redis://topics:pw@127.0.0.1:{own_server.port}"}])
    recorder = Recorder()
    store.attach(recorder)
    await store.subscribe("t", recorder)
    await store.publish(append("t", 1, Retention(1, 60), version=1, idempotency_key="k"))
    store.sync.publish(append("t", 2, Retention(1, 60)))
    await store.presence_add("t", client("c"), announce=True)
    await store.presence_renew([PresenceEntry("t", client("c"))])
    assert await store.presence_stats("t") == (1, 1)
    assert [*await store.presence("t")] == ["c"]
    assert await store.presence_remove("t", client("c"), announce=True) is True
    assert values((await store.read("t")).publications) == [2]
    await store.remove("t")
    await store.broadcast(b"m")
    await recorder.messages(1)
    assert len(await recorder.take("t", 4)) == 4
    await store.aclose()


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {"encoding": "latin-1"}])
@pytest.mark.parametrize("kind", ["single", "cluster"])
async def test_options_of_a_host_change_no_reply(request, options, kind):
    server = request.getfixturevalue("server" if kind == "single" else "cluster")
    store = RedisStore([{"address": server.url, **options}], prefix=f"{kind}{next(iter(options))}")
    person = client("é", "ü")
    await store.presence_add("t", person)
    for publish in (store.sync.publish, store.publish):
        published = publish(append("t", "é", Retention(1, 60)))
        if asyncio.iscoroutine(published):
            await published
        for page in (await store.read("t"), store.sync.read("t")):
            assert values(page.publications) == ["é"]
        assert store.sync.presence("t") == await store.presence("t") == {"é": person}
        assert store.sync.presence_stats("t") == (1, 1)
    store.sync.close()
    await store.aclose()


async def test_without_redis_every_call_of_either_kind_says_so(store, own_server):
    own_server.kill()
    with pytest.raises(StoreUnavailable, match="CHANNELS_TOPICS"):
        await store.subscribe("t", Recorder())
    with pytest.raises(StoreUnavailable, match="CHANNELS_TOPICS"):
        await store.remove("t")


async def test_who_leaves_hears_nothing_more(store, own_server):
    recorder, stays = Recorder(), Recorder()
    for each in (recorder, stays):
        store.attach(each)
        await store.subscribe("t", each)
    await store.unsubscribe("t", recorder)
    store.detach(recorder)
    await store.publish(append("t", 1))
    await store.broadcast(b"m")
    await stays.messages(1)
    await stays.take("t", 1)
    assert recorder.events == []
    await store.remove("t")
    assert (await store.read("t")).publications == []


def test_prefixes_keep_projects_apart(own_server):
    one, two = (RedisStore([own_server.address], prefix=prefix) for prefix in ("one", "two"))
    one.sync.publish(append("t", 1))
    assert two.sync.read("t").publications == []
    one.sync.close()
    two.sync.close()
