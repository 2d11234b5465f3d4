"""With keys, what is published or queued is taken only where it was sent: every kind, on both layers."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels.layers.redis.wire.encryption import EnvelopeCipher, NotAuthentic
from channels.layers.redis.wire.sequencing import (
    CONTROL,
    MARK,
    MESSAGE,
    Envelope,
    SequenceNumbers,
    encode_envelope,
)
from tests.layers.redis.tools import closing, dropped, receive, until

LAYERS = [RedisChannelLayer, RedisPubSubChannelLayer]
KEYS = ["first key", "second key"]

# The cipher by itself

ENVELOPE = Envelope(MESSAGE, b"sender-1", 7, "a.b!c", b"body")


@pytest.mark.parametrize("kind", [MESSAGE, MARK, CONTROL])
def test_there_and_back(kind):
    envelope = ENVELOPE._replace(kind=kind)
    for keys in ([], ["k"]):
        cipher = EnvelopeCipher(keys)
        assert cipher.open(b"t", cipher.seal(b"t", envelope)) == envelope
        assert cipher.open_entry("q", b"i" * 16, cipher.seal_entry("q", b"i" * 16, b"body")) == b"body"


def test_every_part_of_an_envelope_is_bound():
    cipher = EnvelopeCipher(["k"])
    sealed = cipher.seal(b"t", ENVELOPE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(NotAuthentic):
            cipher.open(b"t", bytes(changed))
    for topic, data in (
        (b"t2", sealed),
        (b"", sealed),
        (b"t", sealed[:-1]),
        (b"t", sealed + b"x"),
        (b"t", b""),
    ):
        with pytest.raises(NotAuthentic):
            cipher.open(topic, data)


def test_every_part_of_an_entry_is_bound():
    cipher = EnvelopeCipher([b"k"])
    entry = cipher.seal_entry("q", b"i" * 16, b"body")
    for queue, ident, data in (
        ("q2", b"i" * 16, entry),
        ("q", b"j" * 16, entry),
        ("q", b"i" * 16, entry[:-1]),
        ("q", b"i" * 16, b"body"),
        ("q", b"i" * 16, b"c" + entry[1:]),
    ):
        with pytest.raises(NotAuthentic):
            cipher.open_entry(queue, ident, data)
    with pytest.raises(NotAuthentic):  # nor is an envelope an entry
        cipher.open_entry("q", b"", cipher.seal(b"q", ENVELOPE))


def test_keys_rotate():
    old, both, new = EnvelopeCipher(["old"]), EnvelopeCipher(["new", "old"]), EnvelopeCipher(["new"])
    assert both.open(b"t", old.seal(b"t", ENVELOPE)) == ENVELOPE
    assert new.open(b"t", both.seal(b"t", ENVELOPE)) == ENVELOPE
    with pytest.raises(NotAuthentic):
        old.open(b"t", new.seal(b"t", ENVELOPE))
    assert EnvelopeCipher("key").open(b"t", EnvelopeCipher(["key"]).seal(b"t", ENVELOPE)) == ENVELOPE


def test_an_update_process_by_process():
    """Each step understands the one before and the one after."""
    steps = [
        EnvelopeCipher(),
        EnvelopeCipher(["k"], "send"),
        EnvelopeCipher(["k"], "accept"),
        EnvelopeCipher(["k"]),
    ]
    for earlier, later in itertools.pairwise(steps):
        for one, other in ((earlier, later), (later, earlier)):
            assert one.open(b"t", other.seal(b"t", ENVELOPE)) == ENVELOPE
            assert one.open_entry("q", b"i" * 16, other.seal_entry("q", b"i" * 16, b"body")) == b"body"
    with pytest.raises(NotAuthentic):
        steps[3].open(b"t", steps[1].seal(b"t", ENVELOPE))


def test_a_step_that_is_none():
    with pytest.raises(InvalidChannelLayerError, match="`old_envelopes`.*got 'maybe'"):
        RedisChannelLayer(old_envelopes="maybe")  # type: ignore[arg-type]


# On a server, where somebody else can write


class Recorder:
    """Subscribes to everything and keeps what was published, by topic."""

    def __init__(self, server):
        self.client = server.client()
        self.pubsub = self.client.pubsub()
        self.pubsub.psubscribe("*")
        self.pubsub.get_message(timeout=5)

    def next(self, topic: bytes) -> bytes:
        while True:
            message = self.pubsub.get_message(timeout=5)
            assert message is not None, f"nothing came on {topic!r}"
            if message["type"] == "pmessage" and message["channel"] == topic:
                return message["data"]

    def close(self):
        self.pubsub.close()
        self.client.close()


@pytest.fixture
def recorder(own_server):
    recorder = Recorder(own_server)
    yield recorder
    recorder.close()


def topic(layer, kind, name):
    return redis_engine(layer).node.names.topic(kind, name).key


async def refused(layer, publish, amount=1):
    """Publish something that must be dropped as unauthentic, and nothing else."""
    before = dict(layer.statistics()["dropped"])
    publish()
    await until(lambda: dropped(layer, "unauthentic") == before.get("unauthentic", 0) + amount)


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_a_group_message_is_taken_in_its_group_only(own_server, recorder, layer_class):
    layer = layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS)
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("public", name)
        await layer.group_send("secret", {"type": "m", "n": 1})
        data = recorder.next(topic(layer, "group", "secret"))
        await refused(layer, lambda: recorder.client.publish(topic(layer, "group", "public"), data))
        await layer.group_send("public", {"type": "m", "n": 2})
        assert (await receive(layer, name))["n"] == 2


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_a_message_stays_with_its_channel_and_its_kind(own_server, recorder, layer_class):
    """Not to another process, not from a channel to a group, not with another channel's name in it."""
    layers = [layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS) for _ in range(2)]
    receiver, other = layers
    async with closing(*layers):
        name, elsewhere = await receiver.new_channel(), await other.new_channel()
        await receiver.group_add("g", name)
        await other.send(name, {"type": "m", "n": 1})
        data = recorder.next(topic(receiver, "process", receiver.client_prefix))
        assert (await receive(receiver, name))["n"] == 1
        theirs, group = topic(other, "process", other.client_prefix), topic(receiver, "group", "g")
        renamed = data.replace(name.encode(), (name[:-1] + "x").encode())
        assert renamed != data
        await refused(other, lambda: recorder.client.publish(theirs, data))
        await refused(receiver, lambda: recorder.client.publish(group, data))
        mine = topic(receiver, "process", receiver.client_prefix)
        await refused(receiver, lambda: recorder.client.publish(mine, renamed))
        await receiver.send(elsewhere, {"type": "m", "n": 2})
        assert (await receive(other, elsewhere))["n"] == 2


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_a_message_that_waits_stays_in_its_queue(own_server, layer_class):
    layer = layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS)
    async with closing(layer):
        for queue in ("secret", "jobs"):
            await layer.send(queue, {"type": "m", "of": queue})
        keys = {queue: redis_engine(layer).node.names.queue(queue) for queue in ("secret", "jobs")}
        client = own_server.client()
        moved = client.lindex(keys["secret"].ready, 0)
        client.lpush(keys["jobs"].ready, moved)
        client.close()
        assert (await receive(layer, "jobs"))["of"] == "jobs"
        assert dropped(layer, "unauthentic") == 1
        assert (await receive(layer, "secret"))["of"] == "secret"


async def test_a_topic_of_a_named_channel(own_server, recorder):
    layer = RedisPubSubChannelLayer(hosts=[own_server.address], symmetric_encryption_keys=KEYS)
    async with closing(layer):
        waiting = {queue: asyncio.ensure_future(receive(layer, queue)) for queue in ("secret", "jobs")}
        await until(lambda: layer.statistics()["redis"]["topics"] >= 2)
        await layer.send("secret", {"type": "m", "of": "secret"})
        data = recorder.next(topic(layer, "channel", "secret"))
        assert (await waiting["secret"])["of"] == "secret"
        await refused(layer, lambda: recorder.client.publish(topic(layer, "channel", "jobs"), data))
        await layer.send("jobs", {"type": "m", "of": "jobs"})
        assert (await waiting["jobs"])["of"] == "jobs"


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_signals_of_the_layer_are_bound_too(own_server, recorder, layer_class):
    """Nobody without a key makes a channel a member, or has a message counted as lost."""
    layers = [layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS) for _ in range(2)]
    receiver, other = layers
    async with closing(*layers):
        name = await receiver.new_channel()
        await other.group_add("g", name)  # an order to the process of the channel
        assert receiver.statistics()["memberships"] == 1
        mine = topic(receiver, "process", receiver.client_prefix)
        order = {"do": "join", "group": "secret", "channel": name, "number": "1", "for": "nobody"}
        await refused(receiver, lambda: recorder.client.publish(mine, json.dumps(order)))
        numbers = SequenceNumbers()
        numbers.settle(b"t", numbers.next(b"t"))
        forged = encode_envelope(*numbers.mark(b"t")._replace(number=1000))
        await refused(receiver, lambda: recorder.client.publish(topic(receiver, "group", "g"), forged))
        call = json.dumps([["group", "g"]])
        await refused(receiver, lambda: recorder.client.publish(topic(receiver, "roll-call", ""), call))
        assert receiver.statistics()["memberships"] == 1
        assert dropped(receiver, "lost") == 0


@pytest.mark.parametrize("layer_class", LAYERS)
async def test_the_sync_face_seals_as_well(own_server, layer_class):
    layer = layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS)
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)
        await asyncio.to_thread(layer.sync.group_send, "g", {"type": "m", "n": 1})
        assert (await receive(layer, name))["n"] == 1
        await asyncio.to_thread(layer.sync.send, "jobs", {"type": "m", "n": 2})
        assert (await receive(layer, "jobs"))["n"] == 2
        await layer.group_add("g", "jobs")
        await layer.group_send("g", {"type": "m", "n": 3})
        assert (await receive(layer, "jobs"))["n"] == 3
        assert layer.statistics()["dropped"] == {}
        layer.sync.close()


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize(("one", "other"), [("send", "accept"), ("accept", "refuse"), ("send", "send")])
async def test_processes_of_two_steps_understand_each_other(own_server, layer_class, one, other):
    layers = [
        layer_class(hosts=[own_server.address], symmetric_encryption_keys=KEYS, old_envelopes=step)
        for step in (one, other)
    ]
    async with closing(*layers):
        for jobs, (sender, receiver) in (("jobs-1", layers), ("jobs-2", layers[::-1])):
            name = await receiver.new_channel()
            await sender.group_add("g", name)
            await sender.group_send("g", {"type": "m", "n": 1})
            await sender.send(name, {"type": "m", "n": 2})
            assert [(await receive(receiver, name))["n"] for _ in range(2)] == [1, 2]
            await sender.send(jobs, {"type": "m", "n": 3})
            assert (await receive(receiver, jobs))["n"] == 3
            await sender.group_discard("g", name)
        assert [layer.statistics()["dropped"] for layer in layers] == [{}, {}]
