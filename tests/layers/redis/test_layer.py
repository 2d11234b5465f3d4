from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from redis.crc import key_slot

from channels.exceptions import ChannelLayerUnavailable, InvalidChannelLayerError, MessageTooLarge
from channels.layers.redis import exchange
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import PATIENCE, closing, dropped, receive, round_trip, until
from tests.support.ports import free_port
from tests.support.redis_servers import Cluster, RedisServer, server_version


async def test_tls(tls_server):
    await round_trip(RedisChannelLayer(hosts=[tls_server.url]))
    options = {
        "host": "127.0.0.1",
        "port": tls_server.tls_port,
        "ssl": True,
        "ssl_ca_certs": str(tls_server.certificate),
    }
    await round_trip(RedisChannelLayer(hosts=[options]))


async def test_a_certificate_that_is_not_trusted(tls_server):
    layer = RedisChannelLayer(hosts=[f"rediss://127.0.0.1:{tls_server.tls_port}"])
    with pytest.raises(RedisUnavailable, match="CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await layer.group_send("g", {"type": "m"})


async def test_a_unix_socket(tmp_path):
    path = tmp_path / "redis.sock"
    with RedisServer("--unixsocket", str(path)):
        await round_trip(RedisChannelLayer(hosts=[f"unix://{path}"]))
        await round_trip(RedisChannelLayer(hosts=[(str(path), None)]))


async def test_passwords_and_users():
    with RedisServer(
        "--requirepass", "right", "--user", "app", "on", ">secret", "~*", "&*", "+@all"
    ) as server:
        server.connect_options = {"password": "right"}
        await round_trip(RedisChannelLayer(hosts=[f"redis://:right@127.0.0.1:{server.port}"]))
        await round_trip(RedisChannelLayer(hosts=[f"redis://app:secret@127.0.0.1:{server.port}/1"]))
        for url in (
            f"redis://:wr0ng@127.0.0.1:{server.port}",
            f"redis://app:wr0ng@127.0.0.1:{server.port}",
            server.url,
        ):
            layer = RedisChannelLayer(hosts=[url], on_unavailable="wait")
            for call in (
                layer.group_send("g", {"type": "m"}),
                layer.group_add("g", "x"),
                layer.new_channel(),
                asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"}),
            ):
                with pytest.raises(
                    ChannelLayerUnavailable, match="refused the user name or password"
                ) as caught:
                    await asyncio.wait_for(call, 5)
                assert str(server.port) in str(caught.value) and "`hosts`" in str(caught.value)
                assert "wr0ng" not in str(caught.value)


async def test_a_user_without_the_right_to_subscribe():
    with RedisServer(
        "--user",
        "app",
        "on",
        ">secret",
        "~*",
        "resetchannels",
        "&asgi:process:*",
        "&asgi:roll-call:*",
        "+@all",
    ) as server:
        layer = RedisChannelLayer(hosts=[f"redis://app:secret@127.0.0.1:{server.port}"])
        async with closing(layer):
            name = await layer.new_channel()
            with pytest.raises(RedisUnavailable, match="does not give its user a right"):
                await layer.group_add("g", name)
            assert layer.statistics()["memberships"] == 0
            await layer.send(name, {"type": "m"})
            assert (await receive(layer, name))["type"] == "m"


@pytest.fixture
def server(own_server):
    """Passwords and the like are set on servers of one's own."""
    return own_server


async def test_sentinels_that_know_nothing():
    layer = RedisChannelLayer(hosts=[f"redis+sentinel://127.0.0.1:{free_port()}/m"])
    with pytest.raises(RedisUnavailable, match="No sentinel of redis.sentinel.*`sentinels`, `master_name`"):
        await layer.group_send("g", {"type": "m"})


async def test_a_sentinel_that_names_a_replica(sentinels):
    """As one does for a moment in a failover: the layer does not write there."""
    layer = RedisChannelLayer(hosts=[sentinels.url])
    servers: Any = redis_engine(layer).node.connections._shards()[0]

    async def wrong():
        return ("127.0.0.1", sentinels.replica.port)

    servers._master = wrong
    with pytest.raises(RedisUnavailable, match="no master any more"):
        await servers.connect(("", 0))


async def test_a_cluster_nobody_answers_for():
    layer = RedisChannelLayer(hosts=[f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}"])
    with pytest.raises(RedisUnavailable, match=r"redis\+cluster://"):
        await layer.group_send("g", {"type": "m"})


async def test_a_server_that_is_no_redis():
    async def babble(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    babbler = await asyncio.start_server(babble, "127.0.0.1", 0)
    layer = RedisChannelLayer(hosts=[babbler.sockets[0].getsockname()[:2]])
    with pytest.raises(RedisUnavailable):
        await asyncio.wait_for(layer.group_send("g", {"type": "m"}), PATIENCE)
    babbler.close()


async def test_a_slot_that_moves(cluster):
    layer = RedisChannelLayer(hosts=[cluster.url], prefix="moving")
    group = next(f"g{n}" for n in range(1000) if key_slot(f"moving:group:g{n}".encode()) < 5000)
    slot = key_slot(f"moving:group:{group}".encode())
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add(group, name)
        await layer.group_send(group, {"type": "m", "n": 0})
        assert (await receive(layer, name))["n"] == 0
        for n, (start, end) in enumerate([(0, 1), (1, 0)]):
            cluster.move_slot(slot, start, end)
            topic = redis_engine(layer).node.names.topic("group", group)
            await layer.group_send("other", {"type": "m"})
            await until(lambda topic=topic: redis_engine(layer).node.connections.confirmed(topic))
            await layer.group_add(group, name)
            await layer.group_send(group, {"type": "m", "n": n})
            assert (await receive(layer, name))["n"] == n


async def test_a_slot_that_moves_counts_as_an_interruption():
    """What was published before the topic is subscribed at its new place is missed, and asked for."""
    if server_version() < (7,):
        pytest.skip("every node passes on what any node publishes")
    with Cluster() as cluster:
        layer = RedisChannelLayer(hosts=[cluster.url], prefix="moved")
        group = next(f"g{n}" for n in range(1000) if key_slot(f"moved:group:g{n}".encode()) < 5000)
        async with closing(layer):
            name = await layer.new_channel()
            source, told = layer.attach(name, reconnect_notice=True), asyncio.Event()
            source.set_wakeup(told.set)
            await layer.group_add(group, name)
            cluster.move_slot(key_slot(f"moved:group:{group}".encode()), 0, 1)
            await asyncio.wait_for(told.wait(), PATIENCE)
            notice = source.receive_nowait()
            assert notice is not None
            assert notice["type"] == "channel_layer.reconnected"


async def test_many_first_calls_ask_for_the_map_of_a_cluster_once(cluster):
    layer = RedisChannelLayer(hosts=[cluster.url], prefix="once")
    before = sum(server.client().info("stats")["total_connections_received"] for server in cluster.servers)
    async with closing(layer):
        await asyncio.gather(*(layer.group_send(f"g{n}", {"type": "m"}) for n in range(300)))
        after = sum(server.client().info("stats")["total_connections_received"] for server in cluster.servers)
    assert after - before < 30  # those of the test, of the map and of the commands


async def test_a_slot_that_is_being_moved(cluster):
    """Publishing asks at the other end, a queue waits for the end of the move."""
    layer = RedisChannelLayer(hosts=[cluster.url], prefix="asking")
    channel = next(f"q{n}" for n in range(1000) if key_slot(f"q{n}".encode()) < 5000)
    slot = key_slot(channel.encode())
    async with closing(layer):
        await layer.send(channel, {"type": "m", "n": 0})
        assert (await receive(layer, channel))["n"] == 0
        cluster.migrate_slot(slot, 0, 1)
        commands = redis_engine(layer).node.commands()
        reply = await commands.execute(channel, channel, lambda sharded: ("GET", channel))
        assert reply is None
        sending = asyncio.ensure_future(layer.send(channel, {"type": "m", "n": 1}))
        await asyncio.sleep(0.1)
        assert not sending.done()
        cluster.move_slot(slot, 0, 1)
        await asyncio.wait_for(sending, PATIENCE)
        assert (await receive(layer, channel))["n"] == 1
        cluster.move_slot(slot, 1, 0)


async def test_a_cluster_that_never_gets_well():
    with Cluster() as cluster:
        layer = RedisChannelLayer(hosts=[cluster.url])
        async with closing(layer):
            await layer.send("queue", {"type": "m"})
            for server in cluster.servers:
                server.ask("CLUSTER", "DELSLOTS", str(key_slot(b"queue")))
            with pytest.raises(RedisUnavailable):
                await asyncio.wait_for(layer.send("queue", {"type": "m"}), PATIENCE)


async def test_a_cluster_without_sharded_publish_subscribe():
    """Redis 6 has none; plain publish/subscribe crosses all nodes."""
    without = () if server_version() < (7,) else ("--rename-command", "SPUBLISH", "")
    with Cluster(*without) as cluster:
        layer = RedisChannelLayer(hosts=[cluster.url])
        async with closing(layer):
            name = await layer.new_channel()
            await layer.group_add("g", name)
            await layer.group_send("g", {"type": "m"})
            assert (await receive(layer, name))["type"] == "m"
            await layer.send("queue", {"type": "m"})
            assert (await receive(layer, "queue"))["type"] == "m"
            await asyncio.to_thread(layer.sync.group_send, "g", {"type": "sync"})
            assert (await receive(layer, name))["type"] == "sync"
            await asyncio.to_thread(layer.sync.send, "queue", {"type": "sync"})
            assert (await receive(layer, "queue"))["type"] == "sync"
            layer.sync.close()


async def test_a_node_of_a_cluster_that_dies():
    """Groups of other nodes go on; those of the dead one refuse, and nothing hangs."""
    with Cluster() as cluster:
        layer = RedisChannelLayer(hosts=[cluster.url])
        groups = {}
        for n in range(200):
            groups.setdefault(key_slot(f"asgi:group:g{n}".encode()) // 5462, f"g{n}")
        async with closing(layer):
            names = {index: await layer.new_channel() for index in groups}
            for index, group in groups.items():
                await layer.group_add(group, names[index])
            cluster.servers[2].kill()
            with pytest.raises(RedisUnavailable):
                await asyncio.wait_for(layer.group_send(groups[2], {"type": "m"}), PATIENCE)
            for index in (0, 1):
                await asyncio.wait_for(layer.group_send(groups[index], {"type": "m"}), PATIENCE)
                assert (await receive(layer, names[index]))["type"] == "m"


async def test_messages_that_are_too_large(server):
    layer = RedisChannelLayer(hosts=[server.address], max_message_size=1000)
    for call in (
        layer.send("queue", {"type": "m", "x": "y" * 2000}),
        layer.group_send("g", {"type": "m", "x": "y" * 2000}),
    ):
        with pytest.raises(
            MessageTooLarge, match=r"has 20\d\d bytes, the layer carries 1000 .*max_message_size"
        ):
            await call
    with pytest.raises(MessageTooLarge):
        layer.sync.group_send("g", {"type": "m", "x": "y" * 2000})


async def test_large_messages_travel(server):
    layer = RedisChannelLayer(hosts=[server.address])
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)
        await layer.group_send("g", {"type": "m", "x": b"y" * 5_000_000})
        assert len((await receive(layer, name))["x"]) == 5_000_000


def test_settings_that_are_none():
    with pytest.raises(TypeError, match="bogus"):
        RedisChannelLayer(bogus=1)  # type: ignore[call-arg]
    with pytest.raises(
        InvalidChannelLayerError, match=r"on_unavailable.* must be .raise. or .wait., got 'never'"
    ):
        RedisChannelLayer(on_unavailable="never")  # type: ignore[arg-type]


async def test_full_members_are_logged_as_in_4_3(server, caplog):
    layer = RedisChannelLayer(hosts=[server.address], capacity=1)
    caplog.set_level(logging.INFO, logger="channels_redis.core")
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("test-group", name)
        for _ in range(3):
            await layer.group_send("test-group", {"type": "m"})
        await until(lambda: dropped(layer, "capacity") == 2)
    lines = [record for record in caplog.records if record.name == "channels_redis.core"]
    assert [line.getMessage() for line in lines] == ["1 of 1 channels over capacity in group test-group"] * 2
    assert lines[0].levelname == "INFO"


async def test_flush_removes_what_is_under_the_prefix_and_nothing_else(server):
    layer, other = (RedisChannelLayer(hosts=[server.address], prefix=prefix) for prefix in ("a[b]*", "other"))
    async with closing(layer, other):
        await layer.send("queue", {"type": "m"})
        await other.send("queue", {"type": "m"})
        await layer.flush()
        assert {key.partition(b":")[0] for key in server.all_keys()} == {b"other"}
        await layer.close_pools()


async def test_a_client_for_work_of_ones_own(server):
    layer = RedisChannelLayer(hosts=[server.address])
    async with layer.connection(0) as client:
        assert await client.ping() is True
    assert layer.consistent_hash("anything") == 0


async def test_what_is_none_of_ours_is_counted(server):
    layer = RedisChannelLayer(hosts=[server.address])
    async with closing(layer):
        await layer.new_channel()
        await layer.group_add("g", await layer.new_channel())
        topics = [
            redis_engine(layer).node.names.topic(*which).key
            for which in (("group", "g"), ("process", layer.client_prefix), ("roll-call", ""))
        ]
        for topic in topics:
            for data in (b"rubbish", b"[1]", b'{"do": 1}', b"\xff\xff"):
                server.ask("PUBLISH", topic, data)
        await until(lambda: dropped(layer, "undecodable") == 12)


async def test_a_question_about_many_topics_is_asked_in_parts(server, monkeypatch):
    monkeypatch.setattr(exchange, "ROLL_CALL_SIZE", 3)
    layer = RedisChannelLayer(hosts=[server.address])
    async with closing(layer):
        name = await layer.new_channel()
        for n in range(10):
            await layer.group_add(f"g{n}", name)
            await layer.group_send(f"g{n}", {"type": "m"})
            await receive(layer, name)
        server.cut()
        await until(lambda: layer.statistics()["redis"]["interruptions"] == 1)
        await until(
            lambda: all(
                redis_engine(layer).node.connections.confirmed(t)
                for t in redis_engine(layer).node.wanted_topics()
            )
        )
        await layer.group_send("g9", {"type": "after"})
        assert (await receive(layer, name))["type"] == "after"
        assert layer.statistics()["dropped"] == {}


async def test_its_repr_says_whether_it_is_connected(server):
    layer = RedisChannelLayer(hosts=[server.url])
    assert repr(layer).endswith("capacity=100, not connected>")
    await layer.group_add("g", "c")
    assert repr(layer).endswith("capacity=100, connected>")
    await layer.aclose()


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
async def test_a_channel_read_by_hand_stays_in_its_groups_when_a_message_expires(server, layer_class):
    """As on 4.3: who reads too late misses messages, and not all that come later."""
    layer = layer_class(hosts=[server.address], expiry=0.3, prefix="stays")
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)
        await layer.group_send("g", {"type": "late"})
        await until(lambda: layer.statistics()["unread"] == 1)
        await asyncio.sleep(0.4)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(name), 0.2)
        assert dropped(layer, "expired") == 1
        await layer.group_send("g", {"type": "in time"})
        assert (await receive(layer, name))["type"] == "in time"
