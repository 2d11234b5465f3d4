"""Processes that speak to a broker frame by frame, and the brokers that follow each other."""

from __future__ import annotations

import threading

from channels.layers.host.broker.broker import Broker
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory

PATIENCE = 20


class Process:
    """A process that speaks to the broker frame by frame."""

    def __init__(self, runtime_dir, name, groups=(), named=(), held=(), greet=True):
        self.sock = runtime_dir.connect()
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
    """A directory with a broker that can be ended and followed by another."""

    def __init__(self, directory):
        self.runtime_dir = RuntimeDirectory(directory)
        self.runtime_dir.prepare()
        self.dropped = []
        self.loop = PollLoop("test-broker")
        self.loop.start()
        self.processes = []
        self.broker = None

    def call(self, function):
        done, result = threading.Event(), []

        def run():
            result.append(function())
            done.set()

        self.loop.call_soon(run)
        assert done.wait(PATIENCE), "the call has failed, see the log"
        return result[0]

    def open(self, max_backlog=16_000_000):
        lock = self.runtime_dir.try_lock()
        assert lock is not None
        drop = lambda reason, amount: self.dropped.append((reason, amount))  # noqa: E731
        self.broker = self.call(lambda: Broker(self.runtime_dir, lock, self.loop, max_backlog, drop))

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
        self.processes.append(Process(self.runtime_dir, name, *args, **kwargs))
        return self.processes[-1]

    def close(self):
        self.call(self.broker.close)
        for process in self.processes:
            process.sock.close()
        self.loop.stop()
        self.loop.join(PATIENCE)


def publish(number, group="g", payload=b"payload"):
    return wire.Publish(number, group, payload)
