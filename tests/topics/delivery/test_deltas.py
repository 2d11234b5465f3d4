"""Patches are made once for all who get the same, and only where they are shorter."""

import asyncio
from typing import Any

import msgspec
import pytest

from channels.protocols.centrifuge.fossil import apply_delta, create_text_delta
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.topics.delivery.deltas import Change, Delta
from channels.topics.delivery.frames import MessageFraming
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.outbox import Outbox, refuse
from channels.topics.delivery.subscription import Subscription
from channels.topics.stores.base import Retention
from channels.topics.stores.memory import MemoryStore

SUBSCRIBERS, DOCUMENTS = 200, 5


def document(number: int) -> bytes:
    rows = [{"id": row, "price": row * 7919 % 1000} for row in range(160)]
    return msgspec.json.encode({"rows": rows, "number": number})


def publication(number: int) -> Publication:
    return Publication(data=msgspec.Raw(document(number)), offset=number + 1)


async def test_a_patch_is_made_once_per_publication_whoever_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes | None] = []

    def counted(source: bytes, target: bytes) -> bytes | None:
        made.append(create_text_delta(source, target))
        return made[-1]

    monkeypatch.setattr("channels.topics.delivery.deltas.create_text_delta", counted)
    arrived = 0

    async def write(frame: Any) -> None:
        nonlocal arrived
        arrived += len(JSON.decode_replies(frame.data))

    client: Any = type("Client", (), {"id": "c", "user_id": ""})()
    live = LiveTopic("t", 1, Retention(), False, MemoryStore(), asyncio.ensure_future)
    for _ in range(SUBSCRIBERS):
        outbox = Outbox(MessageFraming(JSON), refuse, write, 1_000_000)
        live.join(Subscription(client, outbox, "t", ClientInfo(user="", client="c"), delta=Delta.WHOLE))
    for number in range(DOCUMENTS):
        live.deliver([publication(number)])
    async with asyncio.timeout(20):
        while arrived < SUBSCRIBERS * DOCUMENTS:
            await asyncio.sleep(0)
    assert len(made) == DOCUMENTS - 1


@pytest.mark.parametrize("binary", [False, True])
def test_a_patch_of_the_one_before_is_pushed(binary: bool) -> None:
    pushed = Change(publication(1), publication(0)).pushed(Delta.PATCH, binary)
    patch = bytes(pushed.data) if binary else msgspec.json.decode(pushed.data).encode()
    assert pushed.delta
    assert len(patch) < 50
    assert apply_delta(document(0), patch) == document(1)


def test_what_no_patch_makes_shorter_is_pushed_whole() -> None:
    other = Publication(data=msgspec.Raw(b'"something else"'), offset=2)
    pushed = Change(other, publication(0)).pushed(Delta.PATCH, True)
    assert (pushed.delta, bytes(pushed.data)) == (False, b'"something else"')
