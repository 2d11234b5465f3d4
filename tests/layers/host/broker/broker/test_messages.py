"""The broker by its wire: what it passes on, and what it does when a process ends."""

from __future__ import annotations

import os
import threading
import time

import pytest

from channels.layers.host.broker import broker as module
from channels.layers.host.wire import frames as wire
from tests.layers.host.broker.site import PATIENCE, publish
from tests.layers.host.processes import in_forked_child


def test_a_message_crosses_to_each_process_once_and_not_back(site):
    one, two, three = (site.process(name) for name in ("one", "two", "three"))
    for process in (one, two):
        process.send(wire.Subscribe(1, "g"))
        process.next(wire.Answer)
    one.send(publish(2))
    assert two.next(wire.Published) == wire.Published("one", 2, "g", b"payload")
    assert one.next(wire.Accepted) == wire.Accepted(2)
    assert one.all_until_answer() == []
    assert three.all_until_answer() == []
    assert site.call(site.broker.statistics)["messages"] == 1


def test_after_unsubscribing_nothing_comes(site):
    one, two = site.process("one"), site.process("two", ["g"])
    two.send(wire.Unsubscribe(1, "g"))
    two.next(wire.Accepted)
    one.send(publish(1))
    one.next(wire.Accepted)
    assert two.all_until_answer() == []


def test_direct_messages_and_those_for_nobody(site):
    one, two = site.process("one"), site.process("two")
    one.send(wire.Direct(1, "two", "c", b"x"), wire.Direct(2, "nobody", "c", b"x"))
    assert two.next(wire.Directed) == wire.Directed("one", 1, "c", b"x")
    assert one.next(wire.Dropped) == wire.Dropped("unreachable", 1)


def test_named_messages_are_given_settled_and_given_back(site):
    one, two = site.process("one"), site.process("two")
    forever = time.time() + 60
    one.send(wire.Enqueue(1, "work", 1, forever, b"x"))
    assert one.next(wire.Answer).error == ""
    one.send(wire.Enqueue(2, "work", 1, forever, b"x"))
    assert one.next(wire.Answer).error == "full"
    two.send(wire.Dequeue(1, "work"))
    given = two.next(wire.Delivered)
    assert given == wire.Delivered(1, "one.1", b"x")
    two.send(wire.Ack(2, given.key, False))
    two.next(wire.Accepted)
    one.send(wire.Dequeue(3, "work"), wire.Dequeue(4, "work"), wire.Cancel(5, 4))
    assert one.next(wire.Delivered).key == given.key
    one.send(wire.Ack(6, given.key, True))
    assert one.next(wire.Accepted)
    assert site.call(site.broker.statistics)["held"] == 0


def test_what_a_dead_process_held_goes_to_another(site):
    one, two = site.process("one"), site.process("two")
    one.send(wire.Enqueue(1, "work", 9, time.time() + 60, b"x"), wire.Dequeue(2, "work"))
    one.next(wire.Delivered)
    two.send(wire.Dequeue(1, "work"))
    one.sock.close()
    assert two.next(wire.Delivered).payload == b"x"


def test_a_named_channel_in_a_group(site):
    one, two = site.process("one"), site.process("two")
    one.send(wire.GroupChange(1, "g", "work", "", True, 1, 60))
    one.next(wire.Answer)
    two.send(publish(1), publish(2))
    assert two.next(wire.Dropped) == wire.Dropped("capacity", 1)
    two.send(wire.Dequeue(3, "work"))
    assert two.next(wire.Delivered).key == "two.1.work"
    two.send(wire.GroupChange(4, "g", "work", "", False, 1, 60))
    assert two.next(wire.Answer).number == 4
    assert one.next(wire.GroupChangeRequest) == wire.GroupChangeRequest(0, "g", "work", False)
    one.send(wire.GroupChange(5, "g", "work", "", False, 1, 60))
    assert one.next(wire.Answer).number == 5


def test_flushing_reaches_all_processes(site):
    one, two = site.process("one"), site.process("two", ["g"])
    one.send(wire.Enqueue(1, "work", 9, time.time() + 60, b"x"), wire.Flush(2))
    assert [one.next(wire.Answer).number for _ in range(2)] == [1, 2]
    assert two.next(wire.Flushed)
    one.send(publish(3))
    one.next(wire.Accepted)
    assert two.all_until_answer() == []
    assert site.call(site.broker.statistics)["waiting"] == {}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        wire.PREAMBLE + wire.encode(publish(1)),
        wire.PREAMBLE + wire.encode(wire.Hello("x", 1, [], [], [])) + wire.encode(wire.Accepted(1)),
    ],
)
def test_who_speaks_out_of_turn_is_cut_off(site, data, caplog):
    stranger = site.process("stranger", greet=False)
    stranger.sock.sendall(data)
    assert stranger.is_cut_off()
    assert "The broker of the host layer has closed a connection" in caplog.text


def test_a_process_that_says_hello_again_takes_its_own_place(site):
    old, sender = site.process("one", ["g"]), site.process("two")
    new = site.process("one", ["g"])
    assert old.is_cut_off()
    sender.send(publish(1))
    assert new.next(wire.Published).number == 1


def test_who_does_not_read_is_cut_off_and_told_what_it_missed(site, caplog):
    site.call(site.broker.close)
    site.open(max_backlog=100_000)
    slow, sender = site.process("slow", ["g"]), site.process("sender")
    for n in range(100):
        sender.send(publish(n, payload=b"x" * 20_000))
    assert sender.all_until_answer() == []
    assert "Process 4242 was cut off" in caplog.text
    sender.send(publish(100), wire.GroupChange(101, "g", "c", "slow", True, 1, 60))
    assert sender.next(wire.Answer).number == 101
    slow.is_cut_off(keep=True)
    got = [frame for frame in slow.frames if isinstance(frame, wire.Published)]
    assert site.process("slow").welcome.lost + len(got) == 101


def test_who_never_comes_back_is_forgotten_and_counted(site, monkeypatch):
    site.call(site.broker.close)
    site.open(max_backlog=100_000)
    site.process("slow", ["g"])
    sender = site.process("sender")
    for n in range(100):
        sender.send(publish(n, payload=b"x" * 20_000))
    sender.all_until_answer()
    site.call(site.broker._sweep)
    assert site.dropped == []
    monkeypatch.setattr(module, "REMEMBER", -1.0)
    site.call(site.broker._sweep)
    assert site.dropped[0][0] == "cut_off" and site.dropped[0][1] > 50
    assert site.call(site.broker.statistics)["processes"] == 1


def test_a_slow_reader_gets_all_and_its_senders_hear_of_it_then(site):
    slow, sender = site.process("slow", ["g"]), site.process("sender")
    for n in range(1, 101):
        sender.send(publish(n, payload=b"x" * 20_000))
    assert sender.all_until_answer() == []
    backlog = site.call(site.broker.statistics)["backlog"]
    assert backlog > 500_000
    site.process("reader").send(wire.Subscribe(1, "g"))
    assert site.processes[-1].next(wire.Answer).seen == {"sender": 100}
    assert [slow.next(wire.Published).number for _ in range(100)] == list(range(1, 101))
    sender.send(publish(101))
    while sender.next(wire.Accepted).number < 101:
        continue


def test_a_broker_that_ends_passes_on_what_has_arrived(site):
    slow, sender = site.process("slow", ["g"]), site.process("sender")
    for n in range(1, 51):
        sender.send(publish(n, payload=b"x" * 20_000))
    reader = threading.Thread(target=lambda: [slow.next(wire.Published) for _ in range(50)])
    reader.start()
    sender.all_until_answer()
    site.call(site.broker.close)
    reader.join(PATIENCE)
    assert slow.is_cut_off()
    assert site.runtime_dir.socket.exists(), "others carry on there"
    site.open()


def test_the_last_one_removes_the_socket(site):
    site.call(site.broker.close)
    assert not site.runtime_dir.socket.exists()
    site.call(site.broker.close)
    site.call(site.broker._end_turn)
    site.call(site.broker._end_failover)
    site.call(site.broker._sweep)
    site.open()


def test_a_removed_directory_ends_the_broker(site, caplog):
    one = site.process("one")
    one.send(wire.Enqueue(1, "work", 9, time.time() + 60, b"x"))
    one.next(wire.Answer)
    os.unlink(site.runtime_dir.path / "lock")
    site.call(site.broker._sweep)
    assert one.is_cut_off()
    assert "Somebody has removed" in caplog.text
    assert site.dropped == [("broker_lost", 1)]
    site.open()


def test_a_forked_child_closes_its_copies_only(site):
    one = site.process("one")
    assert in_forked_child(lambda: (site.broker.abandon(), site.broker.abandon())) == 0
    assert one.all_until_answer() == []


def test_what_a_forked_child_inherits_is_closed_once(site):
    site.process("one")
    site.call(site._crash)
    site.call(site.broker.abandon)
    assert site.broker._closed
    site.open()
