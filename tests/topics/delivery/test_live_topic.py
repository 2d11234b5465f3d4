"""A live topic follows its stream: gaps are filled, what is lost is told, a storm reads once."""

import asyncio
from typing import Any

import msgspec
import pytest

from channels import telemetry
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.topics.control import RefreshClients, SubscribeClients
from channels.topics.delivery.frames import Frame, MessageFraming
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.delivery.subscription import Subscription
from channels.topics.stores.base import Append, Position, Retention, StoreUnavailable, StreamPage
from channels.topics.stores.memory import MemoryStore

RETENTION = Retention(size=50, ttl=60)


class Store(MemoryStore):
    """Counts what is read, and can be away."""

    reads = 0
    away = False

    async def read(self, *args: Any, **kwargs: Any) -> StreamPage:
        if self.away:
            raise StoreUnavailable("away")
        self.reads += 1
        await asyncio.sleep(0)
        return await super().read(*args, **kwargs)


class Client:
    """Takes what is delivered."""

    id, user_id, secret = "c", "", ""

    def __init__(self) -> None:
        self.data: list[Any] = []
        self.lost = 0
        self.outbox = Outbox(MessageFraming(JSON), refuse, self.write, 1_000_000)

    async def write(self, frame: Frame) -> None:
        replies = JSON.decode_replies(frame.data)
        self.data += [
            msgspec.json.decode(each.push.pub.data) for each in replies if each.push and each.push.pub
        ]

    def position_lost(self, subscription: Subscription) -> None:
        self.lost += 1

    def disconnect(self, code: int, reason: str) -> None: ...

    def unsubscribe(self, topic: str, code: int, reason: str) -> None: ...

    def recheck(self, topic: str) -> None: ...

    def subscribe_by_server(self, control: SubscribeClients) -> None: ...

    def refresh_by_server(self, control: RefreshClients) -> None: ...


class Stage:
    """A live topic with one subscriber, to which events come as the test says."""

    def __init__(self, retention: Retention = RETENTION) -> None:
        self.store, self.client, self.retention = Store(), Client(), retention
        self.tasks: list[asyncio.Task[None]] = []
        self.live = LiveTopic("t", 1, retention, False, self.store, self.spawn)

    def spawn(self, coroutine: Any) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def start(self) -> "Stage":
        await self.live.start()
        info = ClientInfo(user="", client="c")
        self.live.join(Subscription(self.client, self.client.outbox, "t", info, positioned=True))
        return self

    def publish(self, *data: int) -> list[Publication]:
        """Publish to the store, which tells nobody; returns what a receiver would be told."""
        for each in data:
            payload = msgspec.Raw(msgspec.json.encode(each))
            self.store.sync.publish(Append("t", Publication(data=payload), self.retention))
        return self.store.sync.read("t").publications[-len(data) :]

    async def settle(self) -> list[Any]:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.client.data


@pytest.fixture
async def stage() -> Stage:
    return await Stage().start()


async def test_what_comes_in_order_is_delivered(stage: Stage) -> None:
    stage.live.take(stage.publish(1, 2, 3))
    assert await stage.settle() == [1, 2, 3]


async def test_a_gap_is_filled_before_what_follows_it(stage: Stage) -> None:
    events = stage.publish(1, 2, 3, 4)
    stage.live.take(events[3:])
    stage.live.take(stage.publish(5))
    assert await stage.settle() == [1, 2, 3, 4, 5]
    assert stage.client.lost == 0


async def test_a_gap_is_filled_from_all_that_the_stream_keeps() -> None:
    stage = await Stage(Retention(size=1_000, ttl=60)).start()
    stage.live.take(stage.publish(*range(900))[-1:])
    assert await stage.settle() == [*range(900)]
    assert stage.client.lost == 0


async def test_what_was_delivered_already_is_left_out(stage: Stage) -> None:
    events = stage.publish(1, 2)
    stage.live.take(events)
    stage.live.take(events)
    assert await stage.settle() == [1, 2]


async def test_a_gap_that_the_stream_cannot_fill_is_told(stage: Stage) -> None:
    events = stage.publish(*range(60))  # the stream keeps 50
    before = telemetry.counters["topics.position_lost"]
    stage.live.take(events[-1:])
    assert await stage.settle() == []
    assert stage.client.lost == 1
    assert telemetry.counters["topics.position_lost"] == before + 1
    stage.live.take(stage.publish(100))
    assert (await stage.settle())[-1] == 100


async def test_a_new_epoch_is_told(stage: Stage) -> None:
    stage.live.take(stage.publish(1))
    await stage.settle()
    stage.store = stage.live.store = Store()
    stage.live.take(stage.publish(2))
    await stage.settle()
    assert stage.client.lost == 1


async def test_a_check_finds_what_nobody_told(stage: Stage) -> None:
    stage.publish(1, 2)
    await stage.live.check()
    assert await stage.settle() == [1, 2]


async def test_a_store_that_is_away_is_asked_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.topics.delivery.live_topic.RETRY", 0.01)
    events = stage.publish(1, 2)
    stage.store.away = True
    stage.live.take(events[1:])
    await asyncio.sleep(0.05)
    assert stage.client.data == []
    stage.store.away = False
    await asyncio.sleep(0.05)
    assert await stage.settle() == [1, 2]


async def test_a_storm_of_returning_clients_reads_the_stream_once(stage: Stage) -> None:
    stage.live.take(stage.publish(*range(30)))
    reads = stage.store.reads

    async def comes_back(offset: int) -> list[Any]:
        await stage.live.load_recent()
        missed = stage.live.missed(offset, "")
        assert missed is not None
        return [msgspec.json.decode(each.data) for each in missed]

    found = await asyncio.gather(*(comes_back(number % 31) for number in range(1000)))
    assert stage.store.reads == reads + 1
    assert found[10] == list(range(10, 30))
    stage.live.take(stage.publish(30))
    assert await comes_back(29) == [29, 30]
    assert stage.store.reads == reads + 1


async def test_publications_that_come_while_the_stream_is_read_are_missed_by_nobody(stage: Stage) -> None:
    stage.live.take(stage.publish(1))
    loading = asyncio.ensure_future(stage.live.load_recent())
    await asyncio.sleep(0)
    stage.live.take(stage.publish(2))
    await loading
    missed = stage.live.missed(0, "")
    assert missed is not None
    assert [each.offset for each in missed] == [1, 2]
    assert stage.live.position == Position(2, stage.live.position.epoch if stage.live.position else "")
    assert stage.live.missed(0, "another epoch") is None
    assert stage.live.missed(3, "") is None
