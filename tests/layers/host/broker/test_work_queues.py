from __future__ import annotations

import pytest

from channels.layers.host.broker import work_queues as module
from channels.layers.host.broker.journal import Enqueued, Journal
from channels.layers.host.broker.work_queues import WorkQueues


class Broker:
    """Stands where the broker stands: notes what is given and dropped."""

    def __init__(self, path):
        self.path = path
        self.now = 1000.0
        self.given = []
        self.dropped = []
        self.count = 0
        self.open()

    def open(self):
        self.named = WorkQueues(Journal(self.path), self.give, self.drop, lambda: self.now)

    def give(self, taker, number, record):
        self.given.append((taker, number, record.key))

    def drop(self, reason, amount):
        self.dropped.append((reason, amount))

    def put(self, key, channel="work", capacity=10, expires=1060.0):
        return self.named.put(Enqueued(key, channel, expires, b"payload"), capacity)

    def restart(self):
        self.named.write_journal()
        self.named.abandon()
        self.open()


@pytest.fixture
def broker(directory):
    directory.mkdir()
    broker = Broker(directory / "journal")
    yield broker
    broker.named.close()


def test_a_message_waits_for_a_taker_and_a_taker_for_a_message(broker):
    broker.put("a")
    broker.named.take("one", 1, "work")
    broker.named.take("two", 2, "work")
    broker.put("b")
    assert broker.given == [("one", 1, "a"), ("two", 2, "b")]
    assert broker.named.statistics() == {"waiting": {}, "held": 2}


def test_takers_take_turns_and_can_change_their_minds(broker):
    for number, taker in enumerate(["one", "two", "three"]):
        broker.named.take(taker, number, "work")
    broker.named.take("one", 9, "other")
    broker.named.cancel("one", 0)
    broker.named.cancel("one", 99)
    broker.put("a")
    broker.put("b")
    broker.named.cancel("one", 9)
    broker.put("c", "other")
    assert broker.given == [("two", 1, "a"), ("three", 2, "b")]
    assert len(broker.named) == 3


def test_a_full_channel_refuses_until_something_expires(broker):
    assert broker.put("a", capacity=1, expires=1001)
    assert not broker.put("b", capacity=1)
    broker.now = 1002
    assert broker.put("b", capacity=1)
    assert broker.dropped == [("expired", 1)]


def test_all_channels_together_have_a_limit(broker, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 60)
    assert broker.put("a")
    assert not broker.put("b", "elsewhere")
    broker.named.take("one", 1, "work")
    broker.named.settle("a", done=True)
    assert broker.put("b", "elsewhere")


def test_what_is_settled_is_gone_and_what_is_given_back_is_first(broker):
    for key in "abc":
        broker.put(key)
    for number in range(2):
        broker.named.take("one", number, "work")
    broker.named.settle("a", done=True)
    broker.named.settle("a", done=True)
    broker.named.settle("b", done=False)
    broker.named.take("two", 5, "work")
    assert broker.given[2:] == [("two", 5, "b")]


def test_what_a_process_holds_goes_back_in_order_when_it_ends(broker):
    for key in "abc":
        broker.put(key)
    for number in range(2):
        broker.named.take("one", number, "work")
    broker.named.take("one", 2, "other")
    broker.named.leave("one")
    broker.put("d", "other")
    for number in range(3):
        broker.named.take("two", number, "work")
    assert [key for taker, _, key in broker.given if taker == "two"] == ["a", "b", "c"]


def test_expired_messages_are_counted_and_never_given(broker):
    broker.put("a", expires=1001)
    broker.put("b", expires=1010)
    broker.now = 1005
    broker.named.sweep()
    broker.named.take("one", 1, "work")
    assert broker.given == [("one", 1, "b")]
    assert broker.dropped == [("expired", 1)]
    broker.put("c", expires=1001)
    broker.named.take("one", 2, "work")
    assert broker.given == [("one", 1, "b")]


def test_the_next_broker_waits_for_those_who_hold_messages(broker):
    for key in "abcd":
        broker.put(key)
    broker.named.take("one", 1, "work")
    broker.named.take("two", 2, "work")
    broker.named.take("two", 3, "work")
    broker.named.settle("c", done=True)
    broker.restart()
    assert len(broker.named) == 3
    broker.given.clear()
    broker.named.take("three", 1, "work")
    broker.named.claim("one", ["a", "unknown"])
    assert broker.given == []
    broker.named.release_restored()
    assert broker.given == [("three", 1, "b")]
    broker.named.settle("a", done=True)
    broker.named.take("three", 2, "work")
    assert broker.given == [("three", 1, "b"), ("three", 2, "d")]


def test_a_sender_that_tells_the_next_broker_again_does_not_send_twice(broker):
    broker.put("a")
    broker.put("b")
    broker.named.take("one", 1, "work")
    broker.named.settle("a", done=True)
    broker.restart()
    assert broker.put("a") and broker.put("b")
    assert len(broker.named) == 1
    broker.named.release_restored()
    assert broker.put("a"), "after that time a key is only a key"
    assert len(broker.named) == 2


def test_a_worker_settles_with_the_next_broker_what_it_took_from_the_last(broker):
    broker.put("a")
    broker.restart()
    broker.named.settle("a", done=True)
    assert len(broker.named) == 0


def test_flushing_forgets_all_of_it(broker):
    broker.put("a")
    broker.put("b")
    broker.named.take("one", 1, "work")
    broker.named.flush()
    assert len(broker.named) == 0
    broker.restart()
    assert len(broker.named) == 0


def test_a_flush_reaches_what_was_restored(broker):
    broker.put("a")
    broker.restart()
    broker.named.flush()
    assert len(broker.named) == 0


def test_an_empty_journal_is_removed_and_a_full_one_kept(broker):
    broker.put("a")
    broker.named.close()
    assert broker.path.exists()
    broker.open()
    broker.named.flush()
    broker.named.close()
    assert not broker.path.exists()
    broker.open()
