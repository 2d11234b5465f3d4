"""The broker: one thread in one of the processes, through which messages reach the others.

It knows which process has members in which group and which messages wait on named channels.
A message is passed to each process once; the sender is told that it was passed on when the
kernel has it for every receiver, for what is in the kernel survives the end of this process.
So a sender that has no answer when the broker dies tells the next broker again, and receivers
ignore what they have seen.

A broker that follows another keeps what it is told for :data:`WINDOW` seconds, and gives it to
processes that had members before and come back within that time.

It is one file of more than 400 lines because the handling of every frame needs the same few tables.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from channels.layers.host.broker.acks import AckTracker
from channels.layers.host.broker.failover_buffer import FailoverBuffer, Kept
from channels.layers.host.broker.group_table import SubscriptionTable
from channels.layers.host.broker.journal import Enqueued, Journal
from channels.layers.host.broker.listener import Listener
from channels.layers.host.broker.peer import Peer
from channels.layers.host.broker.questions import FEATURE, Questions
from channels.layers.host.broker.work_queues import WorkQueues
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory

logger = logging.getLogger("channels.layers")

#: Seconds within which processes find the broker that follows another.
WINDOW: Final = 1.0
#: Seconds between two looks at what has expired.
SWEEP: Final = 1.0
#: Seconds for which the broker remembers what a process that is away has missed.
REMEMBER: Final = 60.0
#: Seconds a broker that ends waits for slow receivers.
FAREWELL: Final = 1.0

CountDrop: TypeAlias = Callable[[str, int], None]

#: Frames without an answer of their own; the sender is told when they have been passed on.
RECEIPTED: Final = (wire.Publish, wire.Direct, wire.Unsubscribe, wire.Cancel, wire.Ack, wire.Bye)


class Broker:
    """Serves the processes of one project until it is closed; everything happens in the loop's thread.

    Args:
        place: where to listen; its lock is held by ``lock``.
        lock: the descriptor, closed with the broker.
        loop: whose thread to use.
        max_backlog: bytes a process may leave unread before it is cut off.
        count_drop: called with a reason and an amount.
    """

    def __init__(
        self, place: RuntimeDirectory, lock: int, loop: PollLoop, max_backlog: int, count_drop: CountDrop
    ) -> None:
        self._place = place
        self._lock = lock
        self._loop = loop
        self._max_backlog = max_backlog
        self._count_drop = count_drop
        self._connections: set[Peer] = set()
        self._processes: dict[str, Peer] = {}
        self._members = SubscriptionTable()
        self._asked: dict[int, tuple[Peer, int, Peer]] = {}
        self._dirty: dict[Peer, None] = {}
        self._lagging: dict[Peer, None] = {}
        self._receipts = AckTracker()
        self._window: FailoverBuffer | None = None
        self._closed = False
        self._passed = 0
        self._named: WorkQueues[Peer] = WorkQueues(Journal(place.journal), self._give, count_drop)
        self._questions = Questions(self._send, loop.call_later)
        self._handlers = self._table()
        self._open()

    def _table(self) -> dict[type[wire.Frame], Callable[[Peer, Any], None]]:
        return {
            wire.Publish: self._publish,
            wire.Direct: self._direct,
            wire.Subscribe: self._subscribe,
            wire.Unsubscribe: lambda peer, frame: self._members.drop(frame.group, peer),
            wire.Enqueue: self._put,
            wire.Dequeue: lambda peer, frame: self._named.take(peer, frame.number, frame.channel),
            wire.Cancel: lambda peer, frame: self._named.cancel(peer, frame.take),
            wire.Ack: lambda peer, frame: self._named.settle(frame.key, frame.done),
            wire.GroupChange: self._member,
            wire.MembershipDone: self._membership_done,
            wire.Flush: self._flush,
            wire.Ping: lambda peer, frame: self._answer(peer, frame.number),
            wire.Bye: lambda peer, frame: self._leave(peer),
            wire.AskMembers: lambda peer, frame: self._questions.ask(peer, frame, self._members),
            wire.MembersAre: self._questions.answered,
        }

    def _open(self) -> None:
        if self._place.socket.exists() or len(self._named):
            self._window = FailoverBuffer()
            self._loop.call_later(WINDOW, self._end_window)
            self._loop.call_later(REMEMBER, self._forget_window)
        self._doorway = Listener(self._place, self._loop, self._welcome)
        self._loop.at_end_of_turn.append(self._end_turn)
        self._loop.call_later(SWEEP, self._sweep)

    # Connections

    def _welcome(self, peer: Peer) -> None:
        self._connections.add(peer)
        self._dirty[peer] = None
        if peer.sock is not None:
            self._loop.watch(peer.sock, self._receiver(peer))

    def _receiver(self, peer: Peer) -> Callable[[bool], None]:
        return lambda readable: self._receive(peer, readable)

    def _receive(self, peer: Peer, readable: bool) -> None:
        if not readable:
            self._dirty[peer] = None  # it takes something again
            return
        try:
            for frame in peer.read():
                self._handle(peer, frame)
        except EOFError:
            self._leave(peer)
        except wire.WireError as error:
            logger.warning("The broker of the host layer has closed a connection. %s", error)
            self._leave(peer)

    def _handle(self, peer: Peer, frame: Any) -> None:
        kind = type(frame)
        if kind is wire.Hello:
            self._hello(peer, frame)
        elif not peer.process or kind not in self._handlers:
            raise wire.WireError(f"A process sent {kind.__name__}, which is not its turn to send.")
        else:
            self._handlers[kind](peer, frame)
            if kind in RECEIPTED:
                self._receipts.note(peer, frame.number)

    def _send(self, peer: Peer, frame: bytes) -> None:
        peer.send(frame)
        self._dirty[peer] = None

    def _leave(self, peer: Peer) -> None:
        """Let go of a process that has ended, or has said so."""
        self._disconnect(peer)
        self._forget(peer)

    def _disconnect(self, peer: Peer) -> None:
        if peer.sock is not None:
            self._loop.forget(peer.sock)
        peer.close()
        self._connections.discard(peer)
        self._lagging.pop(peer, None)
        self._named.leave(peer)
        for token, (asker, number, owner) in tuple(self._asked.items()):
            if owner is peer:
                del self._asked[token]
                self._answer(asker, number)

    def _forget(self, peer: Peer) -> None:
        self._questions.forget(peer)
        self._members.forget(peer)
        if self._processes.get(peer.process) is peer:
            del self._processes[peer.process]

    def _cut_off(self, peer: Peer) -> None:
        self._disconnect(peer)
        message = "Process %s was cut off: it does not read, %d messages are lost (max_backlog=%d bytes)."
        logger.warning(message, peer.pid, peer.lost, self._max_backlog)

    def _hello(self, peer: Peer, frame: wire.Hello) -> None:
        before = self._processes.get(frame.process)
        if before is not None:
            self._leave(before)
        peer.process, peer.pid, peer.features = frame.process, frame.pid, frame.features
        self._processes[frame.process] = peer
        for group in frame.groups:
            self._members.add(group, peer)
        for group, channel, capacity, expiry in frame.named:
            self._members.add_named(group, channel, peer, capacity, expiry)
        self._send(
            peer, wire.encode(wire.Welcome(os.getpid(), self._missed(before, frame.groups), [FEATURE]))
        )
        self._named.claim(peer, frame.held)
        self._replay(peer)

    def _missed(self, before: Peer | None, groups: list[str]) -> int:
        if before is not None:
            return before.lost
        return self._window.missed(groups) if self._window is not None else 0

    # Messages

    def _publish(self, peer: Peer, frame: wire.Publish) -> None:
        self._passed += 1
        targets = self._members.processes(frame.group)
        if targets:
            data = wire.encode(wire.Published(peer.process, frame.number, frame.group, frame.payload))
            for target in targets:
                if target is not peer:
                    self._send(target, data)
        for channel, member in self._members.named(frame.group).items():
            key = f"{peer.process}.{frame.number}.{channel}"
            record = Enqueued(key, channel, time.time() + member.expiry, frame.payload)
            if not self._named.put(record, member.capacity):
                self._send(peer, wire.encode(wire.Dropped("capacity", 1)))
        self._keep(peer, frame)

    def _direct(self, peer: Peer, frame: wire.Direct) -> None:
        target = self._processes.get(frame.process)
        if target is not None:
            self._passed += 1
            directed = wire.Directed(peer.process, frame.number, frame.channel, frame.payload)
            self._send(target, wire.encode(directed))
        elif self._in_window:
            self._keep(peer, frame)
        else:
            self._send(peer, wire.encode(wire.Dropped("unreachable", 1)))

    def _answer(self, peer: Peer, number: int, error: str = "", seen: dict[str, int] | None = None) -> None:
        self._send(peer, wire.encode(wire.Answer(number, error, seen or {})))

    def _put(self, peer: Peer, frame: wire.Enqueue) -> None:
        self._passed += 1
        record = Enqueued(f"{peer.process}.{frame.number}", frame.channel, frame.expires, frame.payload)
        fits = self._named.put(record, frame.capacity)
        self._answer(peer, frame.number, "" if fits else "full")

    def _give(self, peer: Peer, number: int, record: Enqueued) -> None:
        self._send(peer, wire.encode(wire.Delivered(number, record.key, record.payload)))

    def _flush(self, peer: Peer, frame: wire.Flush) -> None:
        self._members.clear()
        self._named.flush()
        if self._window is not None:
            self._window.take_all()
        flushed = wire.encode(wire.Flushed())
        for other in self._processes.values():
            if other is not peer:
                self._send(other, flushed)
        self._answer(peer, frame.number)

    # Memberships

    def _subscribe(self, peer: Peer, frame: wire.Subscribe) -> None:
        self._members.add(frame.group, peer)
        self._answer(peer, frame.number, seen=self._receipts.open())

    def _member(self, peer: Peer, frame: wire.GroupChange) -> None:
        if not frame.process:
            self._named_member(peer, frame)
            self._answer(peer, frame.number)
            return
        owner = self._processes.get(frame.process)
        if owner is not None and owner.sock is not None:
            token = secrets.randbits(62)  # unlike any that another broker has used
            self._asked[token] = (peer, frame.number, owner)
            asked = wire.GroupChangeRequest(token, frame.group, frame.channel, frame.joins)
            self._send(owner, wire.encode(asked))
        elif self._in_window:
            self._keep(peer, frame)
        else:
            self._answer(peer, frame.number)  # its process has gone, and the channel with it

    def _membership_done(self, peer: Peer, frame: wire.MembershipDone) -> None:
        asked = self._asked.pop(frame.token, None)
        if asked is not None:
            self._answer(asked[0], asked[1])

    def _named_member(self, peer: Peer, frame: wire.GroupChange) -> None:
        if frame.joins:
            self._members.add_named(frame.group, frame.channel, peer, frame.capacity, frame.expiry)
            return
        left = wire.encode(wire.GroupChangeRequest(0, frame.group, frame.channel, False))
        for owner in self._members.drop_named(frame.group, frame.channel):
            if owner is not peer:
                self._send(owner, left)

    # The time after another broker

    @property
    def _in_window(self) -> bool:
        return self._window is not None and self._window.is_open

    def _keep(self, sender: Peer, frame: Kept) -> None:
        """Keep what a process that is not back yet may have to get."""
        if self._window is not None and self._window.touch(sender, frame):
            self._end_window()

    def _replay(self, peer: Peer) -> None:
        """Give to a process that is back what came before it, in order."""
        kept = self._window.take_all() if self._window is not None else []
        for sender, frame in kept:
            if not isinstance(frame, wire.Publish):
                self._handlers[type(frame)](sender, frame)
                continue
            if frame.group in peer.groups and sender is not peer:
                published = wire.Published(sender.process, frame.number, frame.group, frame.payload)
                self._send(peer, wire.encode(published))
            self._keep(sender, frame)

    def _end_window(self) -> None:
        """Whoever is not back by now is not waited for."""
        if self._closed or self._window is None or not self._window.is_open:
            return
        for sender, frame in self._window.close():
            if not isinstance(frame, wire.Publish):
                self._handlers[type(frame)](sender, frame)
        self._named.release_restored()

    def _forget_window(self) -> None:
        self._window = None

    # Turns

    def _end_turn(self) -> None:
        if self._closed:
            return
        self._named.write_journal()  # before anybody is told that a message is safe
        self._write()
        self._receipts.end_turn(self._lagging)
        if not self._in_window:
            for sender, number in self._receipts.passed_on():
                self._send(sender, wire.encode(wire.Accepted(number)))
            self._write()

    def _write(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for peer in dirty:
            lagged = peer in self._lagging
            if peer.write():
                self._lagging.pop(peer, None)
            elif len(peer.queue) > self._max_backlog:
                self._cut_off(peer)
            else:
                self._lagging[peer] = None
            if lagged != (peer in self._lagging) and peer.sock is not None:
                self._loop.watch(peer.sock, self._receiver(peer), write=not lagged)

    def _sweep(self) -> None:
        if self._closed:
            return
        if not self._place.touch(self._lock):
            logger.error("Somebody has removed %s, where processes meet. They look again.", self._place.path)
            self._count_drop("broker_lost", len(self._named))  # what waited, with its file
            self.close()
            return
        self._named.sweep()
        for peer in tuple(self._processes.values()):
            if peer.sock is None and peer.gone_since < time.monotonic() - REMEMBER:
                self._count_drop("cut_off", peer.lost)
                self._forget(peer)
        self._loop.call_later(SWEEP, self._sweep)

    def statistics(self) -> dict[str, Any]:
        """Return counts: processes, groups, messages passed on, bytes that wait, named channels."""
        return {
            "processes": len(self._processes),
            "groups": len(self._members),
            "messages": self._passed,
            "backlog": sum(len(peer.queue) for peer in tuple(self._lagging)),
            **self._named.statistics(),
        }

    # The end

    def close(self) -> None:
        """Pass on what has arrived, and leave the place to others; harmless when closed."""
        if self._closed:
            return
        for peer in tuple(self._connections):
            self._receive(peer, True)
        self._end_turn()
        self._closed = True
        deadline = time.monotonic() + FAREWELL
        for peer in tuple(self._lagging):
            peer.write_all(max(0.0, deadline - time.monotonic()))
        self._loop.at_end_of_turn.remove(self._end_turn)
        self._doorway.close()
        alone = not self._connections
        for peer in tuple(self._connections):
            self._disconnect(peer)
        if alone and self._place.touch(self._lock):
            self._place.remove_socket()
        self._named.close()
        os.close(self._lock)

    def abandon(self) -> None:
        """Close what a forked child has inherited; its parent's broker goes on."""
        if self._closed:
            return  # the descriptors are somebody else's by now
        self._closed = True
        for peer in self._connections:
            if peer.sock is not None:
                peer.sock.close()
        self._named.abandon()
        self._doorway.abandon()
        os.close(self._lock)
