"""The link of a process to the broker: it finds one, carries one, and survives its end.

Longer than other files: it is the test of one module, and each case needs the same brokers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from types import SimpleNamespace

import pytest

from channels.exceptions import ChannelLayerUnavailable, InvalidChannelLayerError
from channels.layers.host.broker.questions import FEATURE
from channels.layers.host.client import client as module
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from tests.layers.host.processes import in_forked_child

PATIENCE = 20


class Inbox:
    """Writes down what arrives."""

    def __init__(self):
        self.got = []
        self.changed = threading.Condition()
        self.groups, self.named = [], []

    def note(self, *item):
        with self.changed:
            self.got.append(item)
            self.changed.notify_all()

    def wait_for(self, *item):
        with self.changed:
            assert self.changed.wait_for(lambda: item in self.got, PATIENCE), self.got

    def wait_for_kind(self, kind):
        def found():
            return [item for item in self.got if item[0] == kind]

        with self.changed:
            assert self.changed.wait_for(found, PATIENCE), self.got
            return found()[0]

    def turn_ended(self):
        """What is written down needs no delivery."""

    def published(self, group, payload):
        self.note("published", group, payload)

    def directed(self, channel, payload):
        self.note("directed", channel, payload)

    def membership(self, frame, done):
        self.note("membership", frame.group, frame.channel, frame.joins)
        done()

    def flushed(self):
        self.note("flushed")

    def dropped(self, reason, amount):
        self.note("dropped", reason, amount)

    def reconnected(self, away, lost):
        self.note("reconnected", lost)

    def announcement(self):
        return self.groups, self.named


class Broker:
    """The broker's side of the wire, played by hand; the lock is held meanwhile."""

    def __init__(self, place, preamble=wire.PREAMBLE):
        self.lock = place.try_lock()
        self.listener = place.listen()
        self.listener.settimeout(PATIENCE)
        self.preamble = preamble

    def accept(self):
        self.sock, _ = self.listener.accept()
        self.sock.settimeout(PATIENCE)
        self.reader = wire.FrameReader(wire.MAX_FRAME)
        self.frames = []
        with contextlib.suppress(BrokenPipeError):  # it may have said all it has to say
            self.sock.sendall(self.preamble)
        return self.next(wire.Hello)

    def welcome(self, lost=0):
        hello = self.accept()
        self.send(wire.Welcome(4242, lost))
        return hello

    def send(self, *frames):
        self.sock.sendall(b"".join(map(wire.encode, frames)))

    def next(self, kind):
        while True:
            while self.frames:
                frame = self.frames.pop(0)
                if isinstance(frame, kind):
                    return frame
            self.frames += self.reader.receive_data(self.sock.recv(65536))

    def close(self, listener=True):
        self.sock.close()
        if listener:
            self.listener.close()
            os.close(self.lock)


@pytest.fixture
def place(directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    return place


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def make(place, inbox):
    links = []

    def make(timeout=PATIENCE):
        links.append(BrokerClient(place, "me", inbox, timeout, 1_000_000))
        links[-1].start()
        return links[-1]

    yield make
    for link in links:
        link.close()
        assert not link._loop._thread.is_alive()


def test_the_first_carries_the_broker(make, inbox):
    link = make()
    assert link.ask(wire.Ping).future.result(PATIENCE) == ""
    assert link.broker is not None and link.connected and link.known
    link.require_available()


def test_it_says_who_it_is_and_what_it_wants(make, inbox, place):
    broker = Broker(place)
    inbox.groups, inbox.named = ["g"], [("g", "work", 1, 60.0)]
    make()
    assert broker.welcome() == wire.Hello("me", os.getpid(), ["g"], [("g", "work", 1, 60.0)], [], [FEATURE])
    broker.close()


def test_what_arrives_is_handed_over_once(make, inbox, place):
    broker = Broker(place)
    make()
    broker.welcome()
    broker.send(
        wire.Published("one", 5, "g", b"a"),
        wire.Published("one", 5, "g", b"seen"),
        wire.Directed("one", 4, "c", b"seen"),
        wire.Directed("one", 6, "c", b"b"),
        wire.GroupChangeRequest(77, "g", "c", True),
        wire.Flushed(),
        wire.Dropped("unreachable", 2),
    )
    inbox.wait_for("dropped", "unreachable", 2)
    assert inbox.got == [
        ("published", "g", b"a"),
        ("directed", "c", b"b"),
        ("membership", "g", "c", True),
        ("flushed",),
        ("dropped", "unreachable", 2),
    ]
    assert broker.next(wire.MembershipDone).token == 77
    broker.close()


def test_an_answer_tells_what_was_for_others(make, inbox, place):
    broker = Broker(place)
    link = make()
    broker.welcome()
    asked = link.ask(lambda number: wire.Subscribe(number, "g"))
    number = broker.next(wire.Subscribe).number
    broker.send(wire.Answer(number, "full", {"one": 5}), wire.Answer(12345, "", {}))
    assert asked.future.result(PATIENCE) == "full"
    broker.send(wire.Published("one", 5, "g", b"old"), wire.Published("one", 6, "g", b"new"))
    inbox.wait_for("published", "g", b"new")
    assert len(inbox.got) == 1
    broker.close()


def test_old_senders_are_forgotten(make, inbox, place, monkeypatch):
    monkeypatch.setattr(module, "MAX_SENDERS", 2)
    broker = Broker(place)
    make()
    broker.welcome()
    for sender in ("one", "two", "three", "one"):
        broker.send(wire.Published(sender, 1, "g", sender.encode()))
    broker.send(wire.Flushed())
    inbox.wait_for("flushed")
    assert [item[2] for item in inbox.got[:-1]] == [b"one", b"two", b"three", b"one"]
    broker.close()


def test_the_next_broker_is_told_what_the_last_has_not_answered(make, inbox, place):
    broker = Broker(place)
    link = make()
    broker.welcome()
    link.tell(lambda number: wire.Publish(number, "g", b"a"), is_message=True)
    link.tell(lambda number: wire.Publish(number, "g", b"b"), is_message=True)
    asked = link.ask(wire.Ping)
    broker.next(wire.Ping)
    broker.send(wire.Accepted(1), wire.Published("one", 1, "g", b"last words"))
    broker.close(listener=False)
    broker.welcome(lost=3)
    inbox.wait_for("dropped", "cut_off", 3)
    inbox.wait_for("reconnected", 3)
    inbox.wait_for("published", "g", b"last words")
    assert broker.next(wire.Publish).payload == b"b"
    number = broker.next(wire.Ping).number
    broker.send(wire.Answer(number, "", {}))
    assert asked.future.result(PATIENCE) == ""
    broker.close()


def test_what_was_forgotten_is_lost_with_the_broker(make, inbox, place, monkeypatch):
    monkeypatch.setattr("channels.layers.host.client.unacked.KEEP_BYTES", 50)
    broker = Broker(place)
    link = make()
    broker.welcome()
    for _ in range(3):
        link.tell(lambda number: wire.Publish(number, "g", b"x" * 30), is_message=True)
    for _ in range(3):
        broker.next(wire.Publish)
    broker.close(listener=False)
    inbox.wait_for("dropped", "broker_lost", 2)
    broker.welcome()
    inbox.wait_for("reconnected", 2)
    broker.close()


def test_taken_messages_are_settled_announced_or_given_back(make, inbox, place):
    broker = Broker(place)
    link = make()
    broker.welcome()
    takes = [link.ask(lambda number: wire.Dequeue(number, "work")) for _ in range(4)]
    for n, take in enumerate(takes[:2]):
        broker.send(wire.Delivered(broker.next(wire.Dequeue).number, f"key-{n}", b"x"))
        assert take.future.result(PATIENCE) == (f"key-{n}", b"x")
    link.settle("key-0", done=True)
    assert broker.next(wire.Ack).done
    link.give_up(takes[2])
    assert broker.next(wire.Cancel).take == takes[2].number
    broker.send(wire.Delivered(takes[2].number, "key-2", b"too late"))
    assert broker.next(wire.Ack) == wire.Ack(6 + 1, "key-2", False)
    broker.close(listener=False)
    assert broker.welcome().held == ["key-1"]
    link.give_up(takes[1])
    while (settled := broker.next(wire.Ack)).key != "key-1":
        continue
    assert not settled.done
    broker.close()


def test_giving_up_a_request_that_failed_is_harmless(make, place):
    broker = Broker(place)
    link = make()
    broker.welcome()
    take = link.ask(lambda number: wire.Dequeue(number, "work"))
    take.future.set_running_or_notify_cancel()
    take.future.set_exception(ConnectionError("gone"))
    link.give_up(take)
    broker.close()


def test_another_version_is_an_error_that_says_so(make, place):
    broker = Broker(place, preamble=b"FWH\x09")
    link = make()
    asked = link.ask(wire.Ping)
    broker.accept()
    with pytest.raises(ChannelLayerUnavailable, match=r"No broker .* speaks version 9 of the host layer"):
        asked.future.result(PATIENCE)
    with pytest.raises(ChannelLayerUnavailable, match="version 9"):
        link.require_available()
    broker.close()


def test_another_users_broker_is_refused(make, place, monkeypatch):
    def refuse(sock):
        raise PermissionError("A process of user 7 is at the other end, not of user 0.")

    broker = Broker(place)
    monkeypatch.setattr(module, "require_same_user", refuse)
    asked = make().ask(wire.Ping)
    with pytest.raises(ChannelLayerUnavailable, match="A process of user 7"):
        asked.future.result(PATIENCE)
    broker.sock = broker.listener
    broker.close()


def test_what_cannot_be_carried_is_an_error(make, place, monkeypatch):
    def fail(*args):
        raise InvalidChannelLayerError("No place for a broker.")

    with monkeypatch.context() as patched:
        patched.setattr(module, "Broker", fail)
        link = make()
        with pytest.raises(ChannelLayerUnavailable, match="No place for a broker"):
            link.ask(wire.Ping).future.result(PATIENCE)
    while True:
        try:
            link.require_available()
            assert link.ask(wire.Ping).future.result(PATIENCE) == ""
        except ChannelLayerUnavailable:
            continue
        break


def test_a_broker_that_does_not_listen_is_waited_for_only_so_long(make, inbox, place):
    lock = place.try_lock()
    link = make(timeout=0.05)
    link.tell(lambda number: wire.Publish(number, "g", b""), is_message=True)
    asked = link.ask(wire.Ping)
    with pytest.raises(ChannelLayerUnavailable, match="holds the lock and does not listen"):
        asked.future.result(PATIENCE)
    assert inbox.wait_for_kind("dropped") == ("dropped", "broker_lost", 1)
    with pytest.raises(ChannelLayerUnavailable):
        link.require_available()
    assert "No broker" in str(link.silence())
    os.close(lock)


def test_a_silent_broker_is_named(make, place):
    broker = Broker(place)
    link = make(timeout=7)
    broker.welcome()
    broker.send(wire.Answer(0, "", {}))
    link.ask(wire.Ping)
    broker.next(wire.Ping)
    link._loop.call_soon(lambda: None)
    while not link.connected:
        continue
    assert "in process 4242, has not answered for 7 seconds" in str(link.silence())
    broker.close()


def test_a_slow_broker_gets_all_in_the_end(make, place):
    broker = Broker(place)
    link = make()
    broker.welcome()
    waits_for = None
    sent = 0
    while waits_for is None:
        waits_for = link.tell(lambda number: wire.Publish(number, "g", b"x" * 100_000), is_message=True)
        sent += 1
    assert [broker.next(wire.Publish).number for _ in range(sent)] == list(range(1, sent + 1))
    assert waits_for.result(PATIENCE) is None
    broker.close()


def test_closing_writes_what_was_sent_and_says_goodbye(make, place):
    broker = Broker(place)
    link = make()
    link.tell(lambda number: wire.Publish(number, "g", b""), is_message=True)
    link.close()
    broker.accept()
    assert [type(broker.next(wire.Frame)) for _ in range(2)] == [wire.Publish, wire.Bye]
    broker.close()


def test_closing_without_a_broker_counts_what_was_not_sent(make, inbox, place, monkeypatch):
    monkeypatch.setattr(module, "FAREWELL", 0.05)
    lock = place.try_lock()
    link = make()
    link.tell(lambda number: wire.Publish(number, "g", b""), is_message=True)
    asked = link.ask(wire.Ping)
    link._loop.call_soon(link._shut_down)
    with pytest.raises(ChannelLayerUnavailable):
        asked.future.result(PATIENCE)
    assert ("dropped", "broker_lost", 1) in inbox.got
    os.close(lock)


def test_a_forked_child_closes_its_copies_only(make, place):
    link = make()
    link.ask(wire.Ping).future.result(PATIENCE)
    assert in_forked_child(link.abandon) == 0
    assert link.ask(wire.Ping).future.result(PATIENCE) == ""


def test_abandoning_with_and_without_a_connection(place, inbox):
    BrokerClient(place, "me", inbox, 1, 1).abandon()
    link = BrokerClient(place, "me", inbox, 1, 1)
    near, far = socket.socketpair()
    broker = link.broker = SimpleNamespace(abandon=lambda: far.close())
    link._sock = near
    link.abandon()
    assert (near.fileno(), far.fileno()) == (-1, -1)
    assert broker is link.broker


def test_events_of_a_connection_that_has_gone_are_harmless(place, inbox):
    link = BrokerClient(place, "me", inbox, 1, 1)
    link._on_ready(True)
    link._watch_for_room()
    link._disconnect()
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        link._receive(near)
        link._sock = near
        link._connect()
        link._sock = None
    link.abandon()
