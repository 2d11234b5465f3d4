"""Redis is restarted, cut, paused and failed over during traffic."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from asgiref.sync import async_to_sync

from channels import telemetry
from channels.layers.redis import node as node_module
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels.layers.redis.wire.sequencing import MESSAGE, encode_envelope
from tests.layers.redis.tools import closing, dropped, interruptions, receive, until, until_sent
from tests.support.redis_servers import RedisServer, Sentinels


async def member(layer, group):
    name = await layer.new_channel()
    await layer.group_add(group, name)
    return name


async def test_a_cut_connection_is_renewed(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await member(layer, "g")
        for n in range(3):
            own_server.cut()
            await until(lambda n=n: interruptions(layer) == n + 1)
            await until(
                lambda: redis_engine(layer).node.connections.confirmed(
                    redis_engine(layer).node.names.topic("group", "g")
                )
            )
            await layer.group_send("g", {"type": "m", "n": n})
            assert (await receive(layer, name))["n"] == n


async def test_a_restart_is_survived_and_consumers_that_ask_are_told(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await layer.new_channel()
        asks, does_not = layer.attach(name, reconnect_notice=True), layer.attach(name + "-other")
        told = asyncio.Event()
        asks.set_wakeup(told.set)
        own_server.stop()
        await until(lambda: interruptions(layer) == 1)
        with pytest.raises(RedisUnavailable) as caught:
            await layer.group_send("g", {"type": "m"})
        assert f"redis://127.0.0.1:{own_server.port}/0" in str(caught.value)
        assert "`hosts`" in str(caught.value) and "redis-cli ping" in str(caught.value)
        own_server.start()
        await asyncio.wait_for(told.wait(), 30)
        assert (asks.receive_nowait() or {})["type"] == "channel_layer.reconnected"
        assert does_not.receive_nowait() is None
        told.clear()
        await layer.group_add("g", name)
        await layer.group_send("g", {"type": "m"})
        await asyncio.wait_for(told.wait(), 30)
        assert (asks.receive_nowait() or {})["type"] == "m"


async def test_while_redis_is_away_names_can_be_had_and_groups_refuse(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await member(layer, "g")
        own_server.kill()
        await until(lambda: interruptions(layer) == 1)
        assert "!" in await layer.new_channel()
        for group in ("other", "g"):
            with pytest.raises(RedisUnavailable):
                await layer.group_add(group, await layer.new_channel())
        assert layer.statistics()["memberships"] == 1
        own_server.start()
        await until_sent(layer.group_add, "other", name)
        await until_sent(layer.group_send, "other", {"type": "m"})
        assert (await receive(layer, name))["type"] == "m"


async def test_waiting_instead_of_raising(own_server):
    layer = RedisChannelLayer(
        hosts=[own_server.address],
        on_unavailable="wait",
        unavailable_timeout=20,
        symmetric_encryption_keys=["k"],
    )
    async with closing(layer):
        name = await member(layer, "g")
        own_server.stop()
        await until(lambda: interruptions(layer) == 1)
        sending = asyncio.ensure_future(layer.send("queue", {"type": "queued"}))
        joining = asyncio.ensure_future(layer.group_add("new", name))
        await asyncio.sleep(0.1)
        assert not sending.done() and not joining.done()
        own_server.start()
        await asyncio.wait_for(asyncio.gather(sending, joining), 30)
        assert (await receive(layer, "queue"))["type"] == "queued"
        await layer.group_send("new", {"type": "m"})
        assert (await receive(layer, name))["type"] == "m"


async def test_waiting_has_an_end(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], on_unavailable="wait", unavailable_timeout=0.2)
    async with closing(layer):
        own_server.kill()
        with pytest.raises(RedisUnavailable):
            await layer.group_send("g", {"type": "m"})


async def test_a_paused_server_hangs_nobody(own_server):
    impatient = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    layer = RedisChannelLayer(hosts=[{"host": "127.0.0.1", "port": own_server.port, **impatient}])
    async with closing(layer):
        name = await member(layer, "g")
        own_server.pause()
        with pytest.raises(RedisUnavailable, match="not confirmed in time|cannot be reached"):
            await asyncio.wait_for(layer.group_add("other", name), 20)
        with pytest.raises(RedisUnavailable):
            await asyncio.wait_for(layer.group_send("g", {"type": "m"}), 20)
        await until(lambda: interruptions(layer) == 1)  # the subscriptions notice by themselves
        own_server.resume()
        await until(
            lambda: redis_engine(layer).node.connections.confirmed(
                redis_engine(layer).node.names.topic("group", "g")
            )
        )
        await until_sent(layer.group_send, "g", {"type": "after"})
        received = [(await receive(layer, name))["type"]]
        while received[-1] != "after":
            received.append((await receive(layer, name))["type"])
        assert received.count("m") <= 1


@contextlib.asynccontextmanager
async def cut_off(server, receiver):
    """Its subscriptions are ended, and do not come back before the end of the block."""
    subscriber = redis_engine(receiver).node.connections._subscriber
    held = asyncio.Lock()
    before = interruptions(receiver)
    async with held:
        subscriber._connecting, lock = held, subscriber._connecting  # it cannot connect for now
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: interruptions(receiver) == before + 1)
        yield
    subscriber._connecting = lock


async def answers(layer):
    """Return when the process of the layer can be asked what it has sent."""
    node = redis_engine(layer).node
    await until(lambda: all(node.connections.confirmed(topic) for topic in node.exchange.topics))


@pytest.mark.parametrize("keys", [None, ["key"]], ids=["open", "encrypted"])
@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
async def test_what_is_sent_while_a_receiver_is_cut_off_arrives_in_order_and_once(
    own_server, layer_class, keys
):
    """The sender reaches Redis, one receiver does not: it learns the number it missed, and asks."""
    options = {"hosts": [own_server.address], "symmetric_encryption_keys": keys}
    sender, receiver = (layer_class(**options) for _ in range(2))
    async with closing(sender, receiver):
        names = [await member(receiver, "g") for _ in range(3)]
        own = await receiver.new_channel()
        await sender.new_channel()
        for n in range(2):
            await sender.group_send("g", {"type": "m", "n": n})
        async with cut_off(own_server, receiver):
            for n in range(2, 7):
                await until_sent(sender.group_send, "g", {"type": "m", "n": n})
                await until_sent(sender.send, own, {"type": "m", "n": n})
        await until(lambda: receiver.statistics()["redis"]["repaired"] == 10)
        await sender.group_send("g", {"type": "m", "n": 7})
        for name in names:
            assert [(await receive(receiver, name))["n"] for _ in range(8)] == list(range(8))
        assert [(await receive(receiver, own))["n"] for _ in range(5)] == list(range(2, 7))
        assert receiver.statistics()["unread"] == 0
        assert receiver.statistics()["dropped"] == {}
        assert receiver.statistics()["redis"]["held"] == 0


async def test_a_sender_that_began_while_a_receiver_was_cut_off_is_heard_from_its_first_message(own_server):
    sender, receiver = (RedisChannelLayer(hosts=[own_server.address]) for _ in range(2))
    async with closing(sender, receiver):
        name = await member(receiver, "g")
        await sender.new_channel()
        async with cut_off(own_server, receiver):
            await answers(sender)
            for n in range(3):
                await until_sent(sender.group_send, "g", {"type": "m", "n": n})
        await sender.group_send("g", {"type": "m", "n": 3})
        assert [(await receive(receiver, name))["n"] for _ in range(4)] == [0, 1, 2, 3]
        assert receiver.statistics()["dropped"] == {}


async def test_what_was_sent_before_a_receiver_listened_is_not_sent_to_it(own_server):
    sender, receiver = (RedisChannelLayer(hosts=[own_server.address]) for _ in range(2))
    async with closing(sender, receiver):
        await sender.new_channel()
        await sender.group_send("g", {"type": "m", "n": 0})
        name = await member(receiver, "g")
        async with cut_off(own_server, receiver):
            await answers(sender)
            await until_sent(sender.group_send, "g", {"type": "m", "n": 1})
        await sender.group_send("g", {"type": "m", "n": 2})
        assert [(await receive(receiver, name))["n"] for _ in range(2)] == [1, 2]
        assert receiver.statistics()["dropped"] == {}


@pytest.mark.parametrize("limit", [{"repair_window": 0}, {"repair_buffer": 0}], ids=["window", "buffer"])
async def test_what_is_not_kept_any_more_is_counted(own_server, limit):
    sender = RedisChannelLayer(hosts=[own_server.address], **limit)
    receiver = RedisChannelLayer(hosts=[own_server.address])
    async with closing(sender, receiver):
        names = [await member(receiver, "g") for _ in range(3)]
        await sender.new_channel()
        await sender.group_send("g", {"type": "m", "n": 0})
        async with cut_off(own_server, receiver):
            for n in range(1, 6):
                await until_sent(sender.group_send, "g", {"type": "m", "n": n})
        await until(lambda: dropped(receiver, "lost") == 15)  # five messages, three members
        for name in names:
            assert (await receive(receiver, name))["n"] == 0
        assert receiver.statistics()["unread"] == 0
        assert receiver.statistics()["redis"]["unrepaired"] == {"gone": 5}


async def test_who_does_not_want_repairs_counts_what_it_missed(own_server):
    sender = RedisChannelLayer(hosts=[own_server.address])
    receiver = RedisChannelLayer(hosts=[own_server.address], repair_window=0)
    async with closing(sender, receiver):
        await member(receiver, "g")
        await sender.new_channel()
        await sender.group_send("g", {"type": "m", "n": 0})
        async with cut_off(own_server, receiver):
            await until_sent(sender.group_send, "g", {"type": "m", "n": 1})
        await until(lambda: dropped(receiver, "lost") == 1)


async def test_of_a_sender_that_has_ended_what_is_missing_is_counted_in_time(own_server):
    sender = RedisChannelLayer(hosts=[own_server.address])
    receiver = RedisChannelLayer(hosts=[own_server.address], repair_timeout=0.5)
    async with closing(sender, receiver):
        name = await member(receiver, "g")
        await sender.new_channel()
        await sender.group_send("g", {"type": "m", "n": 0})
        numbers = redis_engine(sender).node.commands().numbers
        topic = redis_engine(sender).node.names.topic("group", "g")
        await sender.aclose()
        for number in (3, 4):  # its last words: they wait for the one before
            body = sender.serialize({"type": "m", "n": number})
            sealed = encode_envelope(MESSAGE, numbers.sender, number, "", body)
            own_server.ask("PUBLISH", topic.key, sealed)
        assert [(await receive(receiver, name))["n"] for _ in range(3)] == [0, 3, 4]
        assert dropped(receiver, "lost") == 1
        assert receiver.statistics()["redis"]["unrepaired"] == {"timeout": 1}
        assert receiver.statistics()["redis"]["held"] == 0


async def test_a_process_of_an_earlier_release_is_heard_and_not_asked(own_server):
    """Its names for senders do not say whom to ask: what is missing is counted, and nothing waits."""
    layer = RedisChannelLayer(hosts=[own_server.address], repair_timeout=3600)
    async with closing(layer):
        name = await member(layer, "g")
        topic = redis_engine(layer).node.names.topic("group", "g")
        for number in (1, 4, 3, 5):
            body = layer.serialize({"type": "m", "n": number})
            own_server.ask("PUBLISH", topic.key, encode_envelope(MESSAGE, b"earlier!", number, "", body))
        assert [(await receive(layer, name))["n"] for _ in range(3)] == [1, 4, 5]
        assert dropped(layer, "lost") == 2


async def test_what_threads_and_ended_loops_sent_meanwhile_arrives_too(own_server):
    """Nobody can ask them; their process answers for them."""
    sender, receiver = (RedisChannelLayer(hosts=[own_server.address]) for _ in range(2))

    def send_without_this_loop():
        sender.sync.group_send("g", {"type": "sync"})
        async_to_sync(sender.group_send)("g", {"type": "loop"})

    async with closing(sender, receiver):
        name = await member(receiver, "g")
        await sender.new_channel()
        async with cut_off(own_server, receiver):
            await answers(sender)
            for _ in range(3):
                thread = threading.Thread(target=send_without_this_loop)
                thread.start()
                await asyncio.to_thread(thread.join)
        found = [(await receive(receiver, name))["type"] for _ in range(6)]
        assert sorted(found) == ["loop"] * 3 + ["sync"] * 3
        assert receiver.statistics()["dropped"] == {}
        sender.sync.close()


async def test_a_process_that_only_sends_can_be_asked_if_its_loop_goes_on(own_server, monkeypatch):
    monkeypatch.setattr(node_module, "LISTEN_AFTER", 0.01)
    sender, receiver = (RedisChannelLayer(hosts=[own_server.address]) for _ in range(2))
    async with closing(sender, receiver):
        name = await member(receiver, "g")
        await sender.group_send("g", {"type": "m", "n": 0})
        assert (await receive(receiver, name))["n"] == 0
        await answers(sender)
        async with cut_off(own_server, receiver):
            for n in (1, 2):
                await until_sent(sender.group_send, "g", {"type": "m", "n": n})
        assert [(await receive(receiver, name))["n"] for _ in range(2)] == [1, 2]


async def test_nothing_is_accepted_for_a_group_before_the_process_is_subscribed_again(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await member(layer, "g")
        await layer.group_send("g", {"type": "m", "n": 0})
        async with cut_off(own_server, layer):
            sending = asyncio.ensure_future(layer.group_send("g", {"type": "m", "n": 1}))
            in_a_thread = asyncio.ensure_future(
                asyncio.to_thread(layer.sync.group_send, "other", {"type": "m"})
            )
            await layer.send("queue", {"type": "m"})  # Redis answers
            assert not sending.done() and not in_a_thread.done()
        await asyncio.wait_for(asyncio.gather(sending, in_a_thread), 30)
        assert [(await receive(layer, name))["n"] for _ in range(2)] == [0, 1]
        layer.sync.close()


@pytest.mark.parametrize("how", ["loop", "thread"])
async def test_while_redis_is_away_nobody_waits_for_subscriptions(own_server, how):
    layer = RedisChannelLayer(hosts=[own_server.address], unavailable_timeout=600)
    async with closing(layer):
        await member(layer, "g")
        own_server.kill()
        await until(lambda: interruptions(layer) == 1)
        call = {
            "loop": lambda: layer.group_send("g", {"type": "m"}),
            "thread": lambda: asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"}),
        }[how]
        with pytest.raises(RedisUnavailable, match=r"redis-cli ping"):
            await asyncio.wait_for(call(), 30)
        layer.sync.close()


async def test_waiting_for_the_subscriptions_has_an_end(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], unavailable_timeout=0.2)
    async with closing(layer):
        await member(layer, "g")
        async with cut_off(own_server, layer):
            with pytest.raises(RedisUnavailable, match="not subscribed again"):
                await layer.group_send("g", {"type": "m"})
            with pytest.raises(RedisUnavailable, match="not subscribed again"):
                await asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"})
            layer.sync.group_send("g", {"type": "m"})  # in the loop's own thread: it would wait for itself
        layer.sync.close()


async def test_a_retried_message_is_taken_once(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await member(layer, "g")
        for n in range(30):
            if n % 5 == 2:
                own_server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await layer.group_send("g", {"type": "m", "n": n})
        assert [(await receive(layer, name))["n"] for _ in range(30)] == list(range(30))


async def test_a_worker_waits_until_redis_is_back(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        await layer.send("jobs", {"type": "first"})
        assert (await receive(layer, "jobs"))["type"] == "first"
        waiting = asyncio.ensure_future(receive(layer, "jobs"))
        await asyncio.sleep(0.05)
        own_server.stop()
        await until(lambda: interruptions(layer) == 1)
        own_server.start()
        await until_sent(layer.send, "jobs", {"type": "second"})
        assert (await waiting)["type"] == "second"


async def test_a_failover_is_followed():
    with Sentinels() as servers:
        layer = RedisChannelLayer(hosts=[servers.url])
        async with closing(layer):
            name = await member(layer, "g")
            await layer.group_send("g", {"type": "before"})
            assert (await receive(layer, name))["type"] == "before"
            await asyncio.to_thread(servers.fail_over)
            await until_sent(layer.group_add, "g", name)
            failures = await until_sent(layer.group_send, "g", {"type": "after"})
            assert (await receive(layer, name))["type"] == "after"
            assert failures >= 0
            await layer.send("queue", {"type": "queued"})
            assert (await receive(layer, "queue"))["type"] == "queued"
            # redis-py asks the first sentinel which master it has seen: that may still be the old one
            await until_sent(asyncio.to_thread, layer.sync.group_send, "g", {"type": "sync"})
            assert (await receive(layer, name))["type"] == "sync"


async def test_consumers_are_told_as_the_settings_of_the_pubsub_layer_say(own_server):
    called = []
    layer = RedisPubSubChannelLayer(
        hosts=[own_server.address], on_disconnect="redis.gone", on_reconnect=lambda: called.append("back")
    )
    async with closing(layer):
        source = layer.attach(await layer.new_channel())
        own_server.cut()
        await until(lambda: called)
        assert source.receive_nowait() == {"type": "redis.gone"}


async def test_interruptions_are_facts(own_server, caplog):
    facts = []
    detach = telemetry.attach(lambda event, data: facts.append((event, data)))
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        await layer.new_channel()
        own_server.cut()
        await until(lambda: "layer.redis_restored" in [event for event, _ in facts])
    detach()
    assert "Lost the subscriptions at Redis" in caplog.text
    assert "Subscribed again" in caplog.text


async def test_a_shard_that_is_away_leaves_the_others(own_server, server):
    layer = RedisChannelLayer(hosts=[server.address, own_server.address], prefix="half")
    groups = {layer.consistent_hash(f"g{n}"): f"g{n}" for n in range(50)}
    async with closing(layer):
        names = {shard: await member(layer, group) for shard, group in groups.items()}
        own_server.kill()
        await layer.group_send(groups[0], {"type": "m"})
        assert (await receive(layer, names[0]))["type"] == "m"
        with pytest.raises(RedisUnavailable, match=str(own_server.port)):
            await layer.group_send(groups[1], {"type": "m"})


async def test_a_redis_that_never_was_there():
    with RedisServer() as gone:
        port = gone.port
    layer = RedisChannelLayer(hosts=[{"address": f"redis://user:secret@127.0.0.1:{port}/3"}])
    async with closing(layer):
        for call in (
            layer.new_channel(),
            layer.send("queue", {"type": "m"}),
            layer.receive("queue"),
            layer.take("queue"),
            layer.group_add("g", "queue"),
            layer.group_send("g", {"type": "m"}),
            layer.flush(),
            asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"}),
            asyncio.to_thread(layer.sync.send, "queue", {"type": "m"}),
        ):
            with pytest.raises(RedisUnavailable) as caught:
                await asyncio.wait_for(call, 20)
            assert f"redis://127.0.0.1:{port}/3" in str(caught.value)
            assert "secret" not in str(caught.value)
        assert layer.statistics()["memberships"] == 0
        assert "secret" not in repr(layer)
