"""The broker by its wire: what it passes on, keeps, and gives back when somebody ends.

Longer than other files: it is the test of one module, and each case needs the same site.
"""

from __future__ import annotations

import os
import threading
import time

import pytest

from channels.layers.host.broker import broker as module
from channels.layers.host.broker.broker import Broker
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from tests.layers.host.processes import in_forked_child

PATIENCE = 20


class Process:
    """A process that speaks to the broker frame by frame."""

    def __init__(self, place, name, groups=(), named=(), held=(), greet=True):
        self.sock = place.connect()
        self.sock.settimeout(PATIENCE)
        self.reader = wire.FrameReader(wire.MAX_FRAME)
        self.frames = []
        self.numbers = iter(range(1, 1_000_000))
        if greet:
            self.sock.sendall(wire.PREAMBLE)
            self.send(wire.Hello(name, 4242, list(groups), list(named), list(held)))
            self.welcome = self.next(wire.Welcome)

    def send(self, *frames):
        self.sock.sendall(b"".join(map(wire.encode, frames)))

    def next(self, kind):
        """The next frame of a kind; others are passed over."""
        while True:
            while self.frames:
                frame = self.frames.pop(0)
                if isinstance(frame, kind):
                    return frame
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.frames += self.reader.receive_data(data)

    def all_until_answer(self):
        """Everything that has come before the broker's answer to a knock."""
        self.send(wire.Ping(999_999))
        got = []
        while True:
            frame = self.next(wire.Frame)
            if isinstance(frame, wire.Answer) and frame.number == 999_999:
                return [frame for frame in got if not isinstance(frame, wire.Accepted)]
            got.append(frame)

    def is_cut_off(self, keep=False):
        """Read to the end, and remember what there was if asked."""
        seen = []
        try:
            while True:
                seen.append(self.next(wire.Frame))
        except (EOFError, ConnectionResetError):
            self.frames = seen if keep else []
            return True


class Site:
    """A place with a broker that can be ended and followed by another."""

    def __init__(self, directory):
        self.place = RuntimeDirectory(directory)
        self.place.prepare()
        self.dropped = []
        self.loop = PollLoop("test-broker")
        self.loop.start()
        self.processes = []
        self.broker = None

    def call(self, function):
        done, result = threading.Event(), []
        self.loop.call_soon(lambda: (result.append(function()), done.set()))
        assert done.wait(PATIENCE), "the call has failed, see the log"
        return result[0]

    def open(self, max_backlog=16_000_000):
        lock = self.place.try_lock()
        drop = lambda reason, amount: self.dropped.append((reason, amount))  # noqa: E731
        self.broker = self.call(lambda: Broker(self.place, lock, self.loop, max_backlog, drop))

    def crash(self):
        """End the broker as the end of its process would: no farewell."""
        self.call(self._crash)
        self.open()

    def _crash(self):
        for peer in tuple(self.broker._connections):
            self.loop.forget(peer.sock)
        self.loop.forget(self.broker._listener._listener)
        self.loop.at_end_of_turn.remove(self.broker._end_turn)
        self.broker.abandon()

    def process(self, name, *args, **kwargs):
        self.processes.append(Process(self.place, name, *args, **kwargs))
        return self.processes[-1]

    def close(self):
        self.call(self.broker.close)
        for process in self.processes:
            process.sock.close()
        self.loop.stop()
        self.loop.join(PATIENCE)


@pytest.fixture
def site(directory):
    site = Site(directory)
    site.open()
    yield site
    site.close()


@pytest.fixture
def quick_window(monkeypatch):
    monkeypatch.setattr(module, "FAILOVER_TIME", 0.05)


def publish(number, group="g", payload=b"payload"):
    return wire.Publish(number, group, payload)


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


def test_a_membership_of_another_process_is_asked_for_there(site):
    one, two = site.process("one"), site.process("two")
    one.send(wire.GroupChange(7, "g", "c", "two", True, 1, 60))
    asked = two.next(wire.GroupChangeRequest)
    assert (asked.group, asked.channel, asked.joins) == ("g", "c", True)
    two.send(wire.GroupChangeDone(asked.token), wire.GroupChangeDone(asked.token))
    assert one.next(wire.Answer).number == 7
    one.send(wire.GroupChange(8, "g", "c", "two", False, 1, 60))
    two.next(wire.GroupChangeRequest)
    two.sock.close()
    assert one.next(wire.Answer).number == 8
    one.send(wire.GroupChange(9, "g", "c", "two", True, 1, 60))
    assert one.next(wire.Answer).number == 9


def test_only_the_asked_process_answers_for_what_it_was_asked(site):
    one, two, three = (site.process(name) for name in ("one", "two", "three"))
    one.send(wire.GroupChange(7, "g", "c", "two", True, 1, 60))
    two.next(wire.GroupChangeRequest)
    three.send(wire.Bye(1))
    assert three.is_cut_off()
    assert one.all_until_answer() == []


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


def test_the_next_broker_gives_to_those_who_come_back_what_came_before_them(site, monkeypatch):
    monkeypatch.setattr(module, "FAILOVER_TIME", 3600)
    site.crash()
    one = site.process("one", ["g"])
    one.send(
        publish(1),
        wire.Direct(2, "late", "c", b"x"),
        wire.Direct(3, "later", "c", b"x"),
        publish(4),
        publish(5, "other"),
        wire.GroupChange(6, "g", "c", "late", True, 1, 60),
    )
    assert one.all_until_answer() == []
    late = site.process("late", ["g"])
    assert late.next(wire.Frame) == wire.Published("one", 1, "g", b"payload")
    assert late.next(wire.Frame) == wire.Directed("one", 2, "c", b"x")
    assert late.next(wire.Frame) == wire.Published("one", 4, "g", b"payload")
    late.send(wire.GroupChangeDone(late.next(wire.GroupChangeRequest).token))
    assert one.next(wire.Answer).number == 6
    later = site.process("later", ["other"])
    assert later.next(wire.Frame) == wire.Directed("one", 3, "c", b"x")
    assert later.next(wire.Frame).number == 5
    one.send(wire.Flush(7))
    one.next(wire.Answer)
    assert site.process("last", ["g"]).all_until_answer() == []


def test_when_the_time_is_over_the_rest_is_counted_and_the_senders_may_forget(site, quick_window):
    site.crash()
    one = site.process("one")
    one.send(
        publish(1), wire.Direct(2, "nobody", "c", b""), wire.GroupChange(3, "g", "c", "nobody", True, 1, 60)
    )
    assert one.next(wire.Dropped) == wire.Dropped("unreachable", 1)
    assert one.next(wire.Answer).number == 3
    assert one.next(wire.Accepted).number >= 2


def test_who_comes_back_after_that_time_is_told_how_much_it_has_missed(site, quick_window, monkeypatch):
    site.crash()
    one = site.process("one")
    one.send(publish(1), publish(2, "other"))
    assert one.next(wire.Accepted).number <= 2
    one.send(publish(3))
    one.next(wire.Accepted)
    assert site.process("late", ["g"]).welcome.lost == 2
    assert site.process("new").welcome.lost == 0
    site.call(site.broker._forget_failover)
    assert site.process("too late", ["g"]).welcome.lost == 0


def test_too_much_ends_the_time_early(site, monkeypatch):
    monkeypatch.setattr(module, "FAILOVER_TIME", 3600)
    monkeypatch.setattr("channels.layers.host.broker.failover_buffer.MAX_BYTES", 1000)
    site.crash()
    one = site.process("one")
    one.send(publish(1, payload=b"x" * 600))
    assert one.all_until_answer() == []
    one.send(publish(2, payload=b"x" * 600))
    assert [one.next(wire.Accepted).number for _ in range(2)] == [1, 2]


def test_waiting_messages_are_given_out_after_that_time_or_stay_with_their_holders(site, quick_window):
    one = site.process("one")
    for n in (1, 2):
        one.send(wire.Enqueue(n, "work", 9, time.time() + 60, b"x"))
        one.next(wire.Answer)
    one.send(wire.Dequeue(3, "work"))
    held = one.next(wire.Delivered).key
    site.crash()
    back = site.process("one", held=[held])
    back.send(wire.Dequeue(4, "work"), wire.Dequeue(5, "work"))
    assert back.next(wire.Delivered) == wire.Delivered(4, "one.2", b"x")
    assert back.all_until_answer() == []


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
    assert site.place.socket.exists(), "others carry on there"
    site.open()


def test_the_last_one_removes_the_socket(site):
    site.call(site.broker.close)
    assert not site.place.socket.exists()
    site.call(site.broker.close)
    site.call(site.broker._end_turn)
    site.call(site.broker._end_failover)
    site.call(site.broker._sweep)
    site.open()


def test_a_removed_directory_ends_the_broker(site, caplog):
    one = site.process("one")
    one.send(wire.Enqueue(1, "work", 9, time.time() + 60, b"x"))
    one.next(wire.Answer)
    os.unlink(site.place.path / "lock")
    site.call(site.broker._sweep)
    assert one.is_cut_off()
    assert "Somebody has removed" in caplog.text
    assert site.dropped == [("broker_lost", 1)]
    site.open()


def test_a_forked_child_closes_its_copies_only(site):
    one = site.process("one")
    assert in_forked_child(lambda: (site.broker.abandon(), site.broker.abandon())) == 0
    assert one.all_until_answer() == []
