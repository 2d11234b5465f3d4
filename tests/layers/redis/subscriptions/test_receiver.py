"""What is published on a topic: opened, counted if it is lost or no message of ours, delivered."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from channels.layers.local.delivery import LocalDelivery
from channels.layers.redis.repair.messages import Answer
from channels.layers.redis.subscriptions.receiver import Receiver, log_full_members
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sequencing import MARK, MESSAGE, Envelope

NAMES = KeySpace("asgi")
SENDER = b"sender-1"


class Signals:
    """Writes down what is not delivered."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, ...]] = []

    def on_queue_notification(self, channel: str) -> None:
        self.got.append(("queue", channel))

    def on_group_message(self, group: str, envelope: Envelope) -> None:
        self.got.append(("group", group, envelope.number))

    def on_membership_command(self, content: Any) -> None:
        self.got.append(("membership", content["do"]))

    def on_sequence_query(self, content: Any) -> None:
        self.got.append(("sequence", content[0]))

    def on_question(self, group: str, content: Any) -> None:
        self.got.append(("question", group, content))

    def on_repair_question(self, content: Any) -> None:
        self.got.append(("repair", content))

    def on_repair_answer(self, answer: Answer) -> None:
        self.got.append(("answer", answer))


class Process:
    """A receiver, and what came of what it was given."""

    def __init__(self, keys: list[str] | None = None, takes_anything: bool = False) -> None:
        self.cipher = EnvelopeCipher(keys)
        self.local = LocalDelivery(lambda name: 2, 60, 60, "test")
        self.signals = Signals()
        self.receiver = Receiver(
            self.cipher, self.local, json.loads, self.signals, self.signals, takes_anything
        )
        self.watches: dict[bytes, GapDetector] = {}

    def arrives(self, kind: Any, name: str, data: bytes) -> None:
        topic = NAMES.topic(kind, name)
        self.receiver.handle(topic, self.watches.setdefault(topic.key, GapDetector()), data)

    def message(self, kind: Any, name: str, number: int, body: object, channel: str = "") -> None:
        envelope = Envelope(MESSAGE, SENDER, number, channel, json.dumps(body).encode())
        self.arrives(kind, name, self.cipher.seal(NAMES.topic(kind, name).key, envelope))

    def unread(self, channel: str) -> list[Any]:
        found = self.local.channels.get(channel)
        return [found.receive_nowait() for _ in range(len(found))] if found is not None else []

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self.local.drops.totals)


@pytest.fixture(params=[None, ["key"]], ids=["open", "closed"])
def process(request):
    return Process(request.param)


def test_messages_reach_members_and_channels(process):
    process.local.join("g", "a")
    process.local.join("g", "b")
    process.message("group", "g", 1, {"n": 1})
    process.message("process", "me", 1, {"n": 2}, channel="a")
    process.message("channel", "work", 1, {"n": 3})
    assert process.unread("a") == [{"n": 1}, {"n": 2}]
    assert process.unread("b") == [{"n": 1}]
    assert process.unread("work") == [{"n": 3}]
    assert process.signals.got == [("group", "g", 1)]


def test_what_comes_twice_is_delivered_once_and_what_is_missing_is_counted(process):
    for channel in "ab":
        process.local.join("g", channel)
    for number in (5, 5, 4, 8):
        process.message("group", "g", number, {"n": number})
    assert process.unread("a") == [{"n": 5}, {"n": 8}]
    assert process.dropped == {"lost": 2 * 2}
    process.message("channel", "work", 1, {})
    process.message("channel", "work", 3, {})
    assert process.dropped == {"lost": 2 * 2 + 1}


def test_a_mark_tells_what_is_missing_and_is_no_message(process):
    process.local.join("g", "a")
    process.message("group", "g", 1, {"n": 1})
    topic = NAMES.topic("group", "g").key
    process.arrives("group", "g", process.cipher.seal(topic, Envelope(MARK, SENDER, 3, "", bytes(8))))
    assert process.unread("a") == [{"n": 1}]
    assert process.signals.got == [("group", "g", 1)]


def test_full_channels_miss_it_and_are_counted(process):
    for number in range(1, 4):
        process.message("channel", "work", number, {"n": number})
    assert process.dropped == {"capacity": 1}


@pytest.mark.parametrize(
    ("kind", "content", "got"),
    [
        ("roll-call", [["g"]], ("sequence", ["g"])),
        ("process", {"do": "add"}, ("membership", "add")),
        ("group", {"do": "tell"}, ("question", "x", {"do": "tell"})),
    ],
)
def test_signals_of_the_layer(process, kind, content, got):
    topic = NAMES.topic(kind, "x").key
    process.arrives(kind, "x", process.cipher.seal_signal(topic, SENDER, json.dumps(content).encode()))
    assert process.signals.got == [got]


def test_the_news_of_a_queue_have_no_envelope(process):
    process.arrives("news", "work", b"whatever")
    assert process.signals.got == [("queue", "work")]


@pytest.mark.parametrize(("kind", "data"), [("process", b"{}"), ("process", b"no json"), ("channel", b"{}")])
def test_signals_that_are_none_are_counted(kind, data):
    process = Process()
    process.arrives(kind, "x", data)
    assert process.dropped == {"undecodable": 1}


def test_what_nobody_with_a_key_has_sent_is_counted():
    process = Process(["key"])
    topic = NAMES.topic("group", "g").key
    process.local.join("g", "a")
    forged = EnvelopeCipher(["other"]).seal(topic, Envelope(MESSAGE, SENDER, 1, "", b"{}"))
    for data in (forged, b"{}"):
        process.arrives("group", "g", data)
    assert process.dropped == {"unauthentic": 2}
    assert process.unread("a") == []


@pytest.mark.parametrize("body", [b"\xff", b"[1]"])
@pytest.mark.parametrize("kind", ["group", "channel"])
def test_what_is_no_message_is_counted(kind, body):
    process = Process()
    process.local.join("x", "a")
    topic = NAMES.topic(kind, "x").key
    process.arrives(kind, "x", process.cipher.seal(topic, Envelope(MESSAGE, SENDER, 1, "", body)))
    assert process.dropped == {"undecodable": 1}
    process.receiver.deliver_to("a", None)
    assert process.unread("a") == []


def test_a_layer_that_takes_anything_delivers_anything():
    process = Process(takes_anything=True)
    process.local.join("g", "a")
    process.message("group", "g", 1, ["no dict"])
    process.message("channel", "work", 1, "text")
    assert process.unread("a") == [["no dict"]]
    assert process.unread("work") == ["text"]


def test_full_members_have_a_line_in_the_log(caplog):
    with caplog.at_level(logging.INFO):
        log_full_members("g", 1, 3)
    assert "1 of 3 channels over capacity in group g" in caplog.text
