from __future__ import annotations

import pytest

from channels.layers.host import named as module
from channels.layers.host.journal import Journal, Waits
from channels.layers.host.named import NamedChannels


class Hub:
    """Stands where the hub stands: notes what is given and dropped."""

    def __init__(self, path):
        self.path = path
        self.now = 1000.0
        self.given = []
        self.dropped = []
        self.count = 0
        self.open()

    def open(self):
        self.named = NamedChannels(Journal(self.path), self.give, self.drop, lambda: self.now)

    def give(self, taker, number, record):
        self.given.append((taker, number, record.key))

    def drop(self, reason, amount):
        self.dropped.append((reason, amount))

    def put(self, key, channel="work", capacity=10, expires=1060.0):
        return self.named.put(Waits(key, channel, expires, b"payload"), capacity)

    def restart(self):
        self.named.write_journal()
        self.named.abandon()
        self.open()


@pytest.fixture
def hub(directory):
    directory.mkdir()
    hub = Hub(directory / "journal")
    yield hub
    hub.named.close()


def test_a_message_waits_for_a_taker_and_a_taker_for_a_message(hub):
    hub.put("a")
    hub.named.take("one", 1, "work")
    hub.named.take("two", 2, "work")
    hub.put("b")
    assert hub.given == [("one", 1, "a"), ("two", 2, "b")]
    assert hub.named.statistics() == {"waiting": {}, "held": 2}


def test_takers_take_turns_and_can_change_their_minds(hub):
    for number, taker in enumerate(["one", "two", "three"]):
        hub.named.take(taker, number, "work")
    hub.named.take("one", 9, "other")
    hub.named.cancel("one", 0)
    hub.named.cancel("one", 99)
    hub.put("a")
    hub.put("b")
    hub.named.cancel("one", 9)
    hub.put("c", "other")
    assert hub.given == [("two", 1, "a"), ("three", 2, "b")]
    assert len(hub.named) == 3


def test_a_full_channel_refuses_until_something_expires(hub):
    assert hub.put("a", capacity=1, expires=1001)
    assert not hub.put("b", capacity=1)
    hub.now = 1002
    assert hub.put("b", capacity=1)
    assert hub.dropped == [("expired", 1)]


def test_all_channels_together_have_a_limit(hub, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 60)
    assert hub.put("a")
    assert not hub.put("b", "elsewhere")
    hub.named.take("one", 1, "work")
    hub.named.settle("a", done=True)
    assert hub.put("b", "elsewhere")


def test_what_is_settled_is_gone_and_what_is_given_back_is_first(hub):
    for key in "abc":
        hub.put(key)
    for number in range(2):
        hub.named.take("one", number, "work")
    hub.named.settle("a", done=True)
    hub.named.settle("a", done=True)
    hub.named.settle("b", done=False)
    hub.named.take("two", 5, "work")
    assert hub.given[2:] == [("two", 5, "b")]


def test_what_a_process_holds_goes_back_in_order_when_it_ends(hub):
    for key in "abc":
        hub.put(key)
    for number in range(2):
        hub.named.take("one", number, "work")
    hub.named.take("one", 2, "other")
    hub.named.leave("one")
    hub.put("d", "other")
    for number in range(3):
        hub.named.take("two", number, "work")
    assert [key for taker, _, key in hub.given if taker == "two"] == ["a", "b", "c"]


def test_expired_messages_are_counted_and_never_given(hub):
    hub.put("a", expires=1001)
    hub.put("b", expires=1010)
    hub.now = 1005
    hub.named.sweep()
    hub.named.take("one", 1, "work")
    assert hub.given == [("one", 1, "b")]
    assert hub.dropped == [("expired", 1)]
    hub.put("c", expires=1001)
    hub.named.take("one", 2, "work")
    assert hub.given == [("one", 1, "b")]


def test_the_next_hub_waits_for_those_who_hold_messages(hub):
    for key in "abcd":
        hub.put(key)
    hub.named.take("one", 1, "work")
    hub.named.take("two", 2, "work")
    hub.named.take("two", 3, "work")
    hub.named.settle("c", done=True)
    hub.restart()
    assert len(hub.named) == 3
    hub.given.clear()
    hub.named.take("three", 1, "work")
    hub.named.claim("one", ["a", "unknown"])
    assert hub.given == []
    hub.named.release_restored()
    assert hub.given == [("three", 1, "b")]
    hub.named.settle("a", done=True)
    hub.named.take("three", 2, "work")
    assert hub.given == [("three", 1, "b"), ("three", 2, "d")]


def test_a_sender_that_tells_the_next_hub_again_does_not_send_twice(hub):
    hub.put("a")
    hub.put("b")
    hub.named.take("one", 1, "work")
    hub.named.settle("a", done=True)
    hub.restart()
    assert hub.put("a") and hub.put("b")
    assert len(hub.named) == 1
    hub.named.release_restored()
    assert hub.put("a"), "after that time a key is only a key"
    assert len(hub.named) == 2


def test_a_worker_settles_with_the_next_hub_what_it_took_from_the_last(hub):
    hub.put("a")
    hub.restart()
    hub.named.settle("a", done=True)
    assert len(hub.named) == 0


def test_flushing_forgets_all_of_it(hub):
    hub.put("a")
    hub.put("b")
    hub.named.take("one", 1, "work")
    hub.named.flush()
    assert len(hub.named) == 0
    hub.restart()
    assert len(hub.named) == 0


def test_a_flush_reaches_what_was_restored(hub):
    hub.put("a")
    hub.restart()
    hub.named.flush()
    assert len(hub.named) == 0


def test_an_empty_journal_is_removed_and_a_full_one_kept(hub):
    hub.put("a")
    hub.named.close()
    assert hub.path.exists()
    hub.open()
    hub.named.flush()
    hub.named.close()
    assert not hub.path.exists()
    hub.open()
