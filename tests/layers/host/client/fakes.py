"""A broker that does as it is told, and a handler that writes down what arrives."""

from __future__ import annotations

import contextlib
import os
import threading

from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.wire import frames as wire

PATIENCE = 20


class RecordingHandler:
    """Writes down what arrives."""

    def __init__(self):
        self.got = []
        self.changed = threading.Condition()
        self.groups, self.named = [], []
        self.queue = DeliveryQueue(
            {
                wire.Published: lambda frame: self.note("published", frame.group, frame.payload),
                wire.Directed: lambda frame: self.note("directed", frame.channel, frame.payload),
                wire.GroupChangeRequest: lambda frame: self.note(
                    "group_change", frame.group, frame.channel, frame.joins
                ),
                wire.GroupQueryRequest: lambda frame: self.note("group_query", frame.group),
                wire.Flushed: lambda frame: self.note("flushed"),
            }
        )

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

    def dropped(self, reason, amount):
        self.note("dropped", reason, amount)

    def reconnected(self, away, lost):
        self.note("reconnected", lost)

    def announcement(self):
        return self.groups, self.named


class Broker:
    """The broker's side of the wire, played by hand; the lock is held meanwhile."""

    def __init__(self, runtime_dir, preamble=wire.PREAMBLE):
        self.lock = runtime_dir.try_lock()
        self.listener = runtime_dir.listen()
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
