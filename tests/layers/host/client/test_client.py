"""The client of a process to the broker: it finds one, carries one, and survives its end."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from channels.exceptions import ChannelLayerUnavailable, InvalidChannelLayerError
from channels.layers.host.client import client as module
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire
from tests.layers.host.client.fakes import PATIENCE, Broker
from tests.layers.host.processes import in_forked_child


def test_the_first_carries_the_broker(make, handler):
    client = make()
    assert client.ask(wire.Ping(wire.UNSENT)).future.result(PATIENCE) == ""
    assert client.broker is not None and client.connected and client.known
    client.require_available()


def test_it_says_who_it_is_and_what_it_wants(make, handler, runtime_dir):
    broker = Broker(runtime_dir)
    handler.groups, handler.named = ["g"], [("g", "work", 1, 60.0)]
    make()
    assert broker.welcome() == wire.Hello(
        "me", os.getpid(), ["g"], [("g", "work", 1, 60.0)], [], [wire.GROUP_MEMBERS]
    )
    broker.close()


def test_what_arrives_is_handed_over_once(make, handler, runtime_dir):
    broker = Broker(runtime_dir)
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
    handler.wait_for("dropped", "unreachable", 2)
    handler.wait_for("flushed")
    assert [item for item in handler.got if item[0] != "dropped"] == [
        ("published", "g", b"a"),
        ("directed", "c", b"b"),
        ("group_change", "g", "c", True),
        ("flushed",),
    ]
    broker.close()


def test_an_answer_tells_what_was_for_others(make, handler, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    asked = client.ask(wire.Subscribe(wire.UNSENT, "g"))
    number = broker.next(wire.Subscribe).number
    broker.send(wire.Answer(number, "full", {"one": 5}), wire.Answer(12345, "", {}))
    assert asked.future.result(PATIENCE) == "full"
    broker.send(wire.Published("one", 5, "g", b"old"), wire.Published("one", 6, "g", b"new"))
    handler.wait_for("published", "g", b"new")
    assert len(handler.got) == 1
    broker.close()


def test_old_senders_are_forgotten(make, handler, runtime_dir, monkeypatch):
    monkeypatch.setattr("channels.layers.host.client.receiver.MAX_SENDERS", 2)
    broker = Broker(runtime_dir)
    make()
    broker.welcome()
    for sender in ("one", "two", "three", "one"):
        broker.send(wire.Published(sender, 1, "g", sender.encode()))
    broker.send(wire.Flushed())
    handler.wait_for("flushed")
    assert [item[2] for item in handler.got[:-1]] == [b"one", b"two", b"three", b"one"]
    broker.close()


def test_the_next_broker_is_told_what_the_last_has_not_answered(make, handler, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    client.tell(wire.Publish(wire.UNSENT, "g", b"a"), is_message=True)
    client.tell(wire.Publish(wire.UNSENT, "g", b"b"), is_message=True)
    asked = client.ask(wire.Ping(wire.UNSENT))
    broker.next(wire.Ping)
    broker.send(wire.Accepted(1), wire.Published("one", 1, "g", b"last words"))
    broker.close(listener=False)
    broker.welcome(lost=3)
    handler.wait_for("dropped", "cut_off", 3)
    handler.wait_for("reconnected", 3)
    handler.wait_for("published", "g", b"last words")
    assert broker.next(wire.Publish).payload == b"b"
    number = broker.next(wire.Ping).number
    broker.send(wire.Answer(number, "", {}))
    assert asked.future.result(PATIENCE) == ""
    broker.close()


def test_what_was_forgotten_is_lost_with_the_broker(make, handler, runtime_dir, monkeypatch):
    monkeypatch.setattr("channels.layers.host.client.unacked.KEEP_BYTES", 50)
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    for _ in range(3):
        client.tell(wire.Publish(wire.UNSENT, "g", b"x" * 30), is_message=True)
    for _ in range(3):
        broker.next(wire.Publish)
    broker.close(listener=False)
    handler.wait_for("dropped", "broker_lost", 2)
    broker.welcome()
    handler.wait_for("reconnected", 2)
    broker.close()


def test_taken_messages_are_settled_announced_or_given_back(make, handler, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    takes = [client.ask(wire.Dequeue(wire.UNSENT, "work")) for _ in range(4)]
    for n, take in enumerate(takes[:2]):
        broker.send(wire.Delivered(broker.next(wire.Dequeue).number, f"key-{n}", b"x"))
        assert take.future.result(PATIENCE) == (f"key-{n}", b"x")
    client.settle("key-0", done=True)
    assert broker.next(wire.Ack).done
    client.give_up(takes[2])
    assert broker.next(wire.Cancel).take == takes[2].number
    broker.send(wire.Delivered(takes[2].number, "key-2", b"too late"))
    assert broker.next(wire.Ack) == wire.Ack(6 + 1, "key-2", False)
    broker.close(listener=False)
    assert broker.welcome().held == ["key-1"]
    client.give_up(takes[1])
    while (settled := broker.next(wire.Ack)).key != "key-1":
        continue
    assert not settled.done
    broker.close()


def test_giving_up_a_request_that_failed_is_harmless(make, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    take = client.ask(wire.Dequeue(wire.UNSENT, "work"))
    take.future.set_running_or_notify_cancel()
    take.future.set_exception(ConnectionError("gone"))
    client.give_up(take)
    broker.close()


def test_another_version_is_an_error_that_says_so(make, runtime_dir):
    broker = Broker(runtime_dir, preamble=b"FWH\x09")
    client = make()
    asked = client.ask(wire.Ping(wire.UNSENT))
    broker.accept()
    with pytest.raises(ChannelLayerUnavailable, match=r"No broker .* speaks version 9 of the host layer"):
        asked.future.result(PATIENCE)
    with pytest.raises(ChannelLayerUnavailable, match="version 9"):
        client.require_available()
    broker.close()


def test_another_users_broker_is_refused(make, runtime_dir, monkeypatch):
    def refuse(sock):
        raise PermissionError("A process of user 7 is at the other end, not of user 0.")

    broker = Broker(runtime_dir)
    monkeypatch.setattr(module, "require_same_user", refuse)
    asked = make().ask(wire.Ping(wire.UNSENT))
    with pytest.raises(ChannelLayerUnavailable, match="A process of user 7"):
        asked.future.result(PATIENCE)
    broker.sock = broker.listener
    broker.close()


def test_what_cannot_be_carried_is_an_error(make, runtime_dir, monkeypatch):
    def fail(*args):
        raise InvalidChannelLayerError("No runtime_dir for a broker.")

    with monkeypatch.context() as patched:
        patched.setattr(module, "Broker", fail)
        client = make()
        with pytest.raises(ChannelLayerUnavailable, match="No runtime_dir for a broker"):
            client.ask(wire.Ping(wire.UNSENT)).future.result(PATIENCE)
    while True:
        try:
            client.require_available()
            assert client.ask(wire.Ping(wire.UNSENT)).future.result(PATIENCE) == ""
        except ChannelLayerUnavailable:
            continue
        break


def test_a_broker_that_does_not_listen_is_waited_for_only_so_long(make, handler, runtime_dir):
    lock = runtime_dir.try_lock()
    client = make(timeout=0.05)
    client.tell(wire.Publish(wire.UNSENT, "g", b""), is_message=True)
    asked = client.ask(wire.Ping(wire.UNSENT))
    with pytest.raises(ChannelLayerUnavailable, match="holds the lock and does not listen"):
        asked.future.result(PATIENCE)
    assert handler.wait_for_kind("dropped") == ("dropped", "broker_lost", 1)
    with pytest.raises(ChannelLayerUnavailable):
        client.require_available()
    assert "No broker" in str(client.silence())
    os.close(lock)


def test_a_silent_broker_is_named(make, runtime_dir):
    broker = Broker(runtime_dir)
    client = make(timeout=7)
    broker.welcome()
    broker.send(wire.Answer(0, "", {}))
    client.ask(wire.Ping(wire.UNSENT))
    broker.next(wire.Ping)
    client._loop.call_soon(lambda: None)
    while not client.connected:
        continue
    assert "in process 4242, has not answered for 7 seconds" in str(client.silence())
    broker.close()


def test_a_slow_broker_gets_all_in_the_end(make, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    waits_for = None
    sent = 0
    while waits_for is None:
        waits_for = client.tell(wire.Publish(wire.UNSENT, "g", b"x" * 100_000), is_message=True)
        sent += 1
    assert [broker.next(wire.Publish).number for _ in range(sent)] == list(range(1, sent + 1))
    assert waits_for.result(PATIENCE) is None
    broker.close()


def test_closing_writes_what_was_sent_and_says_goodbye(make, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    client.tell(wire.Publish(wire.UNSENT, "g", b""), is_message=True)
    client.close()
    broker.accept()
    assert [type(broker.next(wire.Frame)) for _ in range(2)] == [wire.Publish, wire.Bye]
    broker.close()


def test_closing_without_a_broker_counts_what_was_not_sent(make, handler, runtime_dir, monkeypatch):
    monkeypatch.setattr(module, "FAREWELL", 0.05)
    lock = runtime_dir.try_lock()
    client = make()
    client.tell(wire.Publish(wire.UNSENT, "g", b""), is_message=True)
    asked = client.ask(wire.Ping(wire.UNSENT))
    client._loop.call_soon(client._shut_down)
    with pytest.raises(ChannelLayerUnavailable):
        asked.future.result(PATIENCE)
    assert ("dropped", "broker_lost", 1) in handler.got
    os.close(lock)


def test_a_forked_child_closes_its_copies_only(make, runtime_dir):
    client = make()
    client.ask(wire.Ping(wire.UNSENT)).future.result(PATIENCE)
    assert in_forked_child(client.abandon) == 0
    assert client.ask(wire.Ping(wire.UNSENT)).future.result(PATIENCE) == ""


def test_abandoning_with_and_without_a_connection(runtime_dir, handler):
    BrokerClient(runtime_dir, "me", handler, 1, 1, itertools.count(1)).abandon()
    client = BrokerClient(runtime_dir, "me", handler, 1, 1, itertools.count(1))
    near, far = socket.socketpair()
    broker: Any = SimpleNamespace(abandon=lambda: far.close())
    client.broker, client._sock = broker, near
    client.abandon()
    assert (near.fileno(), far.fileno()) == (-1, -1)
    assert broker is client.broker


def test_events_of_a_connection_that_has_gone_are_harmless(runtime_dir, handler):
    client = BrokerClient(runtime_dir, "me", handler, 1, 1, itertools.count(1))
    client._reading.watch_for_room()
    client._disconnect()
    client.catch_up()
    client.abandon()


async def test_each_broker_is_read_in_the_loop_that_delivers(make, handler, runtime_dir):
    threads = []
    handler.note = lambda *item: threads.append(threading.get_ident())
    broker = Broker(runtime_dir)
    client = make()
    handler.queue.deliver_in(asyncio.get_running_loop())
    for again in (False, True):
        await asyncio.to_thread(broker.welcome)
        while client._reading._loop_reader is None or not client._reading._loop_reader.turns:
            await asyncio.sleep(0.001)
        threads.clear()
        for number in range(20 * again, 20 * again + 20):
            broker.send(wire.Published("one", number, "g", b""))
            while len(threads) <= number % 20:
                await asyncio.sleep(0.001)
        assert threads.count(threading.get_ident()) == 20
        broker.close(listener=not again)
        if not again:
            broker = Broker(runtime_dir)


def test_a_request_whose_caller_gave_up_before_it_was_written_needs_no_word_about_it(make, runtime_dir):
    broker = Broker(runtime_dir)
    client = make()
    broker.welcome()
    never_written = Request()
    client.give_up(never_written)
    client.ask(wire.Ping(wire.UNSENT))
    assert isinstance(broker.next(wire.Frame), wire.Ping)
    assert never_written.future.cancelled()
    broker.close()
