"""The store without a loop: in threads, and when connections are lost."""

from __future__ import annotations

import threading

import pytest

from channels.testing.store_contract.tools import Recorder, append, offsets, values
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.redis import RedisStore


@pytest.fixture
def sync(own_server):
    store = RedisStore([own_server.address])
    yield store.sync
    store.sync.close()


def test_threads_share_a_client(sync, own_server):
    def work(n):
        for k in range(25):
            sync.publish(append("t", [n, k]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = sync.read("t")
    assert offsets(page.publications) == [*range(1, 101)]
    for n in range(4):
        assert [k for who, k in values(page.publications) if who == n] == [*range(25)]


def test_what_may_be_done_twice_is_tried_again(sync, own_server):
    sync.publish(append("t", 1))
    own_server.cut()
    assert values(sync.read("t").publications) == [1]
    own_server.cut()
    assert sync.publish(append("t", 2, idempotency_key="k")).accepted
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        sync.publish(append("t", 3))
    own_server.start()
    assert sync.publish(append("t", 4)).position.offset == 1


def test_a_server_that_forgot_the_scripts_is_told_them(sync, own_server):
    for n in range(3):
        sync.publish(append("t", n))
        own_server.ask("SCRIPT", "FLUSH")
    assert values(sync.read("t").publications) == [0, 1, 2]
    assert sync.presence("t") == {}
    assert sync.presence_stats("t") == (0, 0)


async def test_messages_to_all(sync, own_server):
    recorder, store = Recorder(), RedisStore([own_server.address])
    store.attach(recorder)
    await store.subscribe("t", recorder)
    sync.broadcast(b"m")
    await recorder.messages(1)
    await store.aclose()


def test_closing_is_no_end(sync):
    sync.publish(append("t", 1))
    sync.close()
    sync.close()
    assert values(sync.read("t").publications) == [1]
    sync.remove("t")
    assert sync.read("t").publications == []
