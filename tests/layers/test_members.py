"""Who is in a group: what a process that does not answer does to the answer."""

from __future__ import annotations

import asyncio
import socket
import time

import msgspec
import pytest

from channels import telemetry
from channels.layers.base import BaseChannelLayer
from channels.layers.host import HostChannelLayer
from channels.layers.host.engine import host_engine
from channels.layers.host.wire import frames as wire
from channels.layers.members import Answers, GroupChannels, GroupCount
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.groups import CHUNK
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.support.redis_servers import RedisServer


@pytest.fixture(scope="module")
def server():
    with RedisServer() as server:
        yield server


def test_a_list_and_a_number_that_know_what_is_missing():
    before = telemetry.counters["layer.group_unanswered"]
    found = GroupChannels(["b", "a", "b"], unanswered=2)
    assert (list(found), found.count, found.count.unanswered) == (["a", "b"], 2, 2)
    assert telemetry.counters["layer.group_unanswered"] == before + 2
    assert isinstance(found.count, GroupCount) and found.count + 1 == 3
    assert (GroupChannels().unanswered, GroupCount(4).unanswered) == (0, 0)


def test_answers_in_any_order():
    answers = Answers()
    answers.add(["a"], last=False)
    answers.add(["b"], last=True)
    assert not answers.done.done()
    answers.expect(2)
    assert not answers.done.done()
    answers.add(["b"])
    assert answers.done.done()
    answers.add(["late"])
    assert (list(answers.result(["own"])), answers.result([]).unanswered) == (["a", "b", "late", "own"], 0)


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize("keys", [None, ["k"]])
async def test_on_redis_somebody_does_not_answer(server, layer_class, keys):
    layer = layer_class(hosts=[server.address], prefix="silent", symmetric_encryption_keys=keys)
    name = await layer.new_channel()
    await layer.group_add("g", name)
    client = server.client()
    silent = client.pubsub()
    silent.subscribe(redis_engine(layer).node.names.topic("group", "g").key)
    silent.get_message(timeout=5)
    began = time.monotonic()
    found = await layer.group_channels("g", timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert (list(found), found.unanswered) == ([name], 1)
    count = await asyncio.to_thread(layer.sync.group_count, "g", 0.3)
    assert (count, count.unanswered) == (1, 1)
    silent.close()
    client.close()
    assert (await layer.group_count("g")).unanswered == 0
    layer.sync.close()
    await layer.aclose()


@pytest.mark.parametrize("keys", [None, ["k"]])
async def test_a_large_group_is_answered_in_parts(server, keys):
    here, there = (
        RedisChannelLayer(hosts=[server.address], prefix="large", symmetric_encryption_keys=keys)
        for _ in range(2)
    )
    names = [await there.new_channel() for _ in range(2 * CHUNK + 1)]
    for name in names:
        await there.group_add("g", name)
    assert list(await here.group_channels("g", 20)) == sorted(names)
    assert await asyncio.to_thread(here.sync.group_count, "g", 20) == len(names)
    here.sync.close()
    for layer in (here, there):
        await layer.aclose()


async def test_where_4_3_has_keys_the_error_names_what_is_here():
    layer = RedisChannelLayer()
    for call in (layer._group_key, layer._map_channel_keys_to_connection):
        with pytest.raises(NotImplementedError, match=r"group_channels\(group\)`.*group_count\(group\)"):
            call("g")


async def test_a_backend_that_has_none():
    with pytest.raises(NotImplementedError, match=r"BaseChannelLayer has no group_channels"):
        await BaseChannelLayer().group_count("g")


def stranger(path, features):
    """Join the broker as a process that never answers."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path / "broker.sock"))
    sock.sendall(wire.PREAMBLE + wire.encode(wire.Hello("f" * 16, 1, ["g"], [], [], features)))
    reader = wire.FrameReader(wire.MAX_FRAME)
    while not any(isinstance(frame, wire.Welcome) for frame in reader.receive_data(sock.recv(65536))):
        pass
    return sock


@pytest.mark.parametrize("features", [[wire.GROUP_MEMBERS], []])
async def test_on_one_machine_somebody_does_not_answer(tmp_path, features):
    """Or cannot: a process of an earlier release is not waited for."""
    layer = HostChannelLayer(path=tmp_path / "broker")
    name = await layer.new_channel()
    await layer.group_add("g", name)
    await layer.group_add("g", "named")
    silent = await asyncio.to_thread(stranger, tmp_path / "broker", features)
    began = time.monotonic()
    found = await layer.group_channels("g", timeout=0.3)
    assert (time.monotonic() - began >= 0.3) is bool(features)
    assert (list(found), found.unanswered) == (["named", name], 1)
    assert (await asyncio.to_thread(layer.sync.group_count, "g", 0.3)).unanswered == 1
    asked = asyncio.ensure_future(layer.group_channels("g", timeout=20))
    await asyncio.sleep(0.05)
    silent.close()  # whoever has ended has no members
    found = await asyncio.wait_for(asked, 10)
    if features:
        assert found.unanswered == 0
    while (await layer.group_channels("g")).unanswered:  # until the broker has seen it go
        await asyncio.sleep(0.01)
    await layer.aclose()


def test_frames_of_an_earlier_release_are_read():
    hello = msgspec.msgpack.encode([1, "a" * 16, 7, ["g"], [], []])
    (frame,) = list(read(wire.PREAMBLE + len(hello).to_bytes(4) + hello))
    assert (frame.process, frame.features) == ("a" * 16, [])
    welcome = msgspec.msgpack.encode([20, 7, 0])
    (frame,) = list(read(wire.PREAMBLE + len(welcome).to_bytes(4) + welcome))
    assert (frame.pid, frame.features) == (7, [])


def read(data):
    return wire.FrameReader(wire.MAX_FRAME).receive_data(data)


async def test_a_broker_of_an_earlier_release(tmp_path, monkeypatch):
    layer = HostChannelLayer(path=tmp_path / "broker")
    name = await layer.new_channel()
    await layer.group_add("g", name)
    host_engine(layer).client.features = []
    found = await layer.group_channels("g")
    assert (list(found), found.unanswered) == ([name], 1)
    assert (await asyncio.to_thread(layer.sync.group_count, "g")).unanswered == 1
    await layer.aclose()
