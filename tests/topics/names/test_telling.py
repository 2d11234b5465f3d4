"""Names of topics are told once somebody wants them, and what is not kept goes along for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from channels import telemetry
from channels.topics import History, Topic
from channels.topics.control import Announcement, UnknownControl, decode_control
from channels.topics.names import telling
from channels.topics.names.telling import FIRST, NAMES, First, note_names, want_names
from channels.topics.stores.base import Event, Retention, StoreUnavailable
from channels.topics.stores.manager import get_store
from channels.topics.stores.records import decode_publication


class Told(Topic):
    pattern = "told/<str:id>"
    message = bytes


class Kept(Topic):
    pattern = "told-kept/<str:id>"
    message = bytes
    history = History(size=10, ttl=60)


class Listener:
    """A receiver that keeps what was told."""

    def __init__(self) -> None:
        self.told: list[First] = []

    def received(self, topic: str, event: Event) -> None:
        """Nothing was subscribed to."""

    def controlled(self, message: bytes) -> None:
        try:
            control = decode_control(message)
        except UnknownControl:
            return
        if isinstance(control, Announcement) and control.name == FIRST:
            self.told.append(msgspec.msgpack.decode(control.data, type=First))

    def interrupted(self) -> None:
        """Nothing is."""

    @property
    def payloads(self) -> list[bytes]:
        return [bytes(decode_publication(each.record, 0, "").data) for each in self.told if each.record]


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    get_store().attach(found)
    yield found
    get_store().detach(found)


async def names() -> list[str]:
    return [bytes(each.data).decode() for each in (await get_store().read(NAMES)).publications]


async def test_nothing_is_told_until_somebody_wants_names(listener: Listener) -> None:
    await Told(id="1").apublish(b"1")
    await asyncio.to_thread(Told(id="1").publish, b"2")
    assert (listener.told, await names()) == ([], [])


async def test_a_process_that_serves_clients_notes_names_and_tells_them_when_they_are_wanted(
    listener: Listener,
) -> None:
    note_names()
    for _ in range(2):
        await Told(id="1").apublish(b"1")
    assert (listener.told, await names()) == ([], ["told/1"])
    assert await want_names() == ["told/1"]
    await Told(id="1").apublish(b"2")
    assert listener.payloads == [b"2"]
    assert await names() == ["told/1"]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_name_is_told_once_and_what_is_not_kept_goes_along_for_a_while(
    listener: Listener, sync: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def publish(topic: Topic, payload: bytes) -> None:
        if sync:
            await asyncio.to_thread(topic.publish, payload)
        else:
            await topic.apublish(payload)

    assert await want_names() == []
    for payload in (b"1", b"2"):
        await publish(Told(id="1"), payload)
        await publish(Kept(id="1"), payload)
    assert listener.payloads == [b"1", b"2"]
    assert [(each.topic, each.offset) for each in listener.told if not each.record] == [("told-kept/1", 1)]
    assert await names() == ["told/1", "told-kept/1"]
    monkeypatch.setattr(telling, "ALONG", 0.0)
    await publish(Told(id="1"), b"3")
    assert listener.payloads == [b"1", b"2"]


async def test_somebody_else_who_wants_names_is_found(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "LOOK", 0.0)
    await Told(id="1").apublish(b"1")
    await want_names()
    monkeypatch.setattr(telling, "_state", telling._State(get_store()))  # as another process is
    await asyncio.to_thread(Told(id="1").publish, b"2")
    assert listener.payloads == [b"2"]


async def test_what_is_left_out_is_not_told(listener: Listener) -> None:
    await want_names()
    for _ in range(2):
        await Told(id="1").apublish(b"1", idempotency_key="one")
    assert listener.payloads == [b"1"]


async def test_what_cannot_be_told_is_counted_and_told_the_next_time(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    untold = telemetry.counters["topics.name_not_told"]

    async def away(message: bytes) -> None:
        raise StoreUnavailable("it is away")

    await want_names()
    with monkeypatch.context() as patch:
        patch.setattr(get_store(), "broadcast", away)
        await Kept(id="1").apublish(b"1")
    await Told(id="1").apublish(b"x" * (telling.LARGEST + 1))
    assert telemetry.counters["topics.name_not_told"] == untold + 2
    assert listener.told == []
    await Kept(id="1").apublish(b"2")
    assert [each.topic for each in listener.told] == ["told-kept/1"]


async def test_names_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "KEPT", Retention(size=2, ttl=60))
    await want_names()
    for number in range(4):
        await Told(id=str(number)).apublish(b"x")
    assert await names() == ["told/2", "told/3"]
    assert list(telling._state.told) == ["told/2", "told/3"]
