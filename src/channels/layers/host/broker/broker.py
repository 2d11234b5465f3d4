"""The broker: one thread in one of the processes, through which messages reach the others.

It knows which process has members in which group and which messages wait on named channels.
A message is passed to each process once; the sender is told that it was passed on when the
kernel has it for every receiver, for what is in the kernel survives the end of this process.
So a sender that has no answer when the broker dies tells the next broker again, and receivers
ignore what they have seen.

A broker that follows another keeps what it is told for :data:`FAILOVER_TIME` seconds, and gives it to
processes that had members before and come back within that time.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from channels.layers.host.broker.acks import AckTracker
from channels.layers.host.broker.failover_buffer import FailoverBuffer, Kept
from channels.layers.host.broker.group_changes import GroupChanges
from channels.layers.host.broker.group_table import SubscriptionTable
from channels.layers.host.broker.journal import Enqueued, Journal
from channels.layers.host.broker.listener import Listener
from channels.layers.host.broker.peer import Peer
from channels.layers.host.broker.questions import Questions
from channels.layers.host.broker.work_queues import WorkQueues
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory

logger = logging.getLogger("channels.layers")

#: Seconds within which processes find the broker that follows another.
FAILOVER_TIME: Final = 1.0
#: Seconds between two looks at what has expired.
SWEEP: Final = 1.0
#: Seconds for which the broker remembers what a process that is away has missed.
REMEMBER: Final = 60.0
#: Seconds a broker that ends waits for slow receivers.
FAREWELL: Final = 1.0

CountDrop: TypeAlias = Callable[[str, int], None]

#: Frames without an answer of their own; the sender is told when they have been passed on.
ACCEPTED: Final = (wire.Publish, wire.Direct, wire.Unsubscribe, wire.Cancel, wire.Ack, wire.Bye)


class Broker:
    """Serves the processes of one project until it is closed; everything happens in the loop's thread.

    Args:
        runtime_dir: where to listen; its lock is held by ``lock``.
        lock: the descriptor, closed with the broker.
        loop: whose thread to use.
        max_backlog: bytes a process may leave unread before it is cut off.
        count_drop: called with a reason and an amount.
    """

    def __init__(
        self,
        runtime_dir: RuntimeDirectory,
        lock: int,
        loop: PollLoop,
        max_backlog: int,
        count_drop: CountDrop,
    ) -> None:
        self._runtime_dir = runtime_dir
        self._lock = lock
        self._loop = loop
        self._max_backlog = max_backlog
        self._count_drop = count_drop
        self._connections: set[Peer] = set()
        self._processes: dict[str, Peer] = {}
        self._subscriptions = SubscriptionTable()
        self._dirty: dict[Peer, None] = {}
        self._lagging: dict[Peer, None] = {}
        self._taken_in: dict[Peer, int] = {}
        self._acks = AckTracker()
        self._failover_buffer: FailoverBuffer | None = None
        self._closed = False
        self._passed = 0
        self._journal = Journal(runtime_dir.journal)
        self._work_queues: WorkQueues[Peer] = WorkQueues(self._journal, self._deliver, count_drop)
        self._group_changes = GroupChanges(self._subscriptions, self._send, self._answer)
        self._questions = Questions(self._send, loop.call_later)
        self._handlers = self._table()
        self._open()

    def _table(self) -> dict[type[wire.Frame], Callable[[Peer, Any], None]]:
        return {
            wire.Hello: self._hello,
            wire.Publish: self._publish,
            wire.Direct: self._direct,
            wire.Subscribe: self._subscribe,
            wire.Unsubscribe: lambda peer, frame: self._subscriptions.drop(frame.group, peer),
            wire.Enqueue: self._enqueue,
            wire.Dequeue: lambda peer, frame: self._work_queues.take(peer, frame.number, frame.channel),
            wire.Cancel: lambda peer, frame: self._work_queues.cancel(peer, frame.take),
            wire.Ack: lambda peer, frame: self._work_queues.settle(frame.key, frame.done),
            wire.GroupChange: self._group_change,
            wire.GroupChangeDone: self._group_changes.done,
            wire.Flush: self._flush,
            wire.Ping: lambda peer, frame: self._answer(peer, frame.number),
            wire.Bye: lambda peer, frame: self._leave(peer),
            wire.GroupQuery: lambda peer, frame: self._questions.ask(peer, frame, self._subscriptions),
            wire.GroupQueryReply: self._questions.answered,
        }

    def _open(self) -> None:
        if self._runtime_dir.socket.exists() or len(self._work_queues):
            self._failover_buffer = FailoverBuffer()
            self._loop.call_later(FAILOVER_TIME, self._end_failover)
            self._loop.call_later(REMEMBER, self._forget_failover)
        self._listener = Listener(self._runtime_dir, self._loop, self._welcome)
        self._loop.at_end_of_turn.append(self._end_turn)
        self._loop.call_later(SWEEP, self._sweep)

    # Connections

    def _welcome(self, peer: Peer) -> None:
        self._connections.add(peer)
        self._dirty[peer] = None
        if peer.sock is not None:
            self._loop.watch(peer.sock, functools.partial(self._receive, peer))

    def _receive(self, peer: Peer, readable: bool) -> None:
        if not readable:
            self._dirty[peer] = None  # it takes something again
            return
        try:
            for frame in peer.read():
                kind = type(frame)
                handle = self._handlers.get(kind)
                if handle is None or not (peer.process or kind is wire.Hello):
                    raise wire.WireError(f"A process sent {kind.__name__}, which is not its turn to send.")
                handle(peer, frame)
                if kind in ACCEPTED:
                    self._taken_in[peer] = frame.number  # type: ignore[union-attr]
        except EOFError:
            self._leave(peer)
        except wire.WireError as error:
            logger.warning("The broker of the host layer has closed a connection. %s", error)
            self._leave(peer)

    def _send(self, peer: Peer, frame: bytes) -> None:
        peer.send(frame)
        self._dirty[peer] = None

    def _leave(self, peer: Peer) -> None:
        """Close the connection of a process that has ended, or has said that it ends, and forget it."""
        self._disconnect(peer)
        self._forget(peer)

    def _disconnect(self, peer: Peer) -> None:
        if peer.sock is not None:
            self._loop.forget(peer.sock)
        peer.close()
        self._connections.discard(peer)
        self._lagging.pop(peer, None)
        self._work_queues.leave(peer)
        self._group_changes.owner_left(peer)

    def _forget(self, peer: Peer) -> None:
        self._questions.forget(peer)
        self._subscriptions.forget(peer)
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
            self._subscriptions.add(group, peer)
        for group, channel, capacity, expiry in frame.named:
            self._subscriptions.add_named(group, channel, peer, capacity, expiry)
        self._send(
            peer,
            wire.encode(wire.Welcome(os.getpid(), self._missed(before, frame.groups), [wire.GROUP_MEMBERS])),
        )
        self._work_queues.claim(peer, frame.held)
        self._replay(peer)

    def _missed(self, before: Peer | None, groups: list[str]) -> int:
        if before is not None:
            return before.lost
        return self._failover_buffer.missed(groups) if self._failover_buffer is not None else 0

    # Messages

    def _publish(self, peer: Peer, frame: wire.Publish) -> None:
        self._passed += 1
        targets, queues = self._subscriptions.find(frame.group)
        if targets:
            data = wire.encode(wire.Published(peer.process, frame.number, frame.group, frame.payload))
            for target in targets:
                if target is not peer:
                    target.send(data)
                    self._dirty[target] = None
        for channel, member in queues.items():
            key = f"{peer.process}.{frame.number}.{channel}"
            record = Enqueued(key, channel, time.time() + member.expiry, frame.payload)
            if not self._work_queues.put(record, member.capacity):
                self._send(peer, wire.encode(wire.Dropped("capacity", 1)))
        if self._failover_buffer is not None:
            self._keep(peer, frame)

    def _direct(self, peer: Peer, frame: wire.Direct) -> None:
        target = self._processes.get(frame.process)
        if target is not None:
            self._passed += 1
            directed = wire.Directed(peer.process, frame.number, frame.channel, frame.payload)
            self._send(target, wire.encode(directed))
        elif self._in_failover:
            self._keep(peer, frame)
        else:
            self._send(peer, wire.encode(wire.Dropped("unreachable", 1)))

    def _answer(self, peer: Peer, number: int, error: str = "", seen: dict[str, int] | None = None) -> None:
        self._send(peer, wire.encode(wire.Answer(number, error, seen or {})))

    def _enqueue(self, peer: Peer, frame: wire.Enqueue) -> None:
        self._passed += 1
        record = Enqueued(f"{peer.process}.{frame.number}", frame.channel, frame.expires, frame.payload)
        fits = self._work_queues.put(record, frame.capacity)
        self._answer(peer, frame.number, "" if fits else "full")

    def _deliver(self, peer: Peer, number: int, record: Enqueued) -> None:
        self._send(peer, wire.encode(wire.Delivered(number, record.key, record.payload)))

    def _flush(self, peer: Peer, frame: wire.Flush) -> None:
        self._subscriptions.clear()
        self._work_queues.flush()
        if self._failover_buffer is not None:
            self._failover_buffer.take_all()
        flushed = wire.encode(wire.Flushed())
        for other in self._processes.values():
            if other is not peer:
                self._send(other, flushed)
        self._answer(peer, frame.number)

    # Memberships

    def _subscribe(self, peer: Peer, frame: wire.Subscribe) -> None:
        self._subscriptions.add(frame.group, peer)
        self._answer(peer, frame.number, seen=self._acks.open(self._taken_in))

    def _group_change(self, peer: Peer, frame: wire.GroupChange) -> None:
        if not frame.process:
            self._group_changes.change_named(peer, frame)
            self._answer(peer, frame.number)
            return
        owner = self._processes.get(frame.process)
        if owner is not None and owner.sock is not None:
            self._group_changes.ask(owner, peer, frame)
        elif self._in_failover:
            self._keep(peer, frame)
        else:
            self._answer(peer, frame.number)  # its process has gone, and the channel with it

    # The time after another broker

    @property
    def _in_failover(self) -> bool:
        return self._failover_buffer is not None and self._failover_buffer.is_open

    def _keep(self, sender: Peer, frame: Kept) -> None:
        """Keep what a process that is not back yet may have to get."""
        if self._failover_buffer is not None and self._failover_buffer.keep(sender, frame):
            self._end_failover()

    def _replay(self, peer: Peer) -> None:
        """Give to a process that is back what came before it, in order."""
        kept = self._failover_buffer.take_all() if self._failover_buffer is not None else []
        for sender, frame in kept:
            if not isinstance(frame, wire.Publish):
                self._handlers[type(frame)](sender, frame)
                continue
            if frame.group in peer.groups and sender is not peer:
                published = wire.Published(sender.process, frame.number, frame.group, frame.payload)
                self._send(peer, wire.encode(published))
            self._keep(sender, frame)

    def _end_failover(self) -> None:
        """Whoever is not back by now is not waited for."""
        if self._closed or self._failover_buffer is None or not self._failover_buffer.is_open:
            return
        for sender, frame in self._failover_buffer.close():
            if not isinstance(frame, wire.Publish):
                self._handlers[type(frame)](sender, frame)
        self._work_queues.release_restored()

    def _forget_failover(self) -> None:
        self._failover_buffer = None

    # Turns

    def _end_turn(self) -> None:
        if self._closed:
            return
        if self._journal.unwritten:  # before anybody is told that a message is safe
            self._work_queues.write_journal()
        self._write()
        senders, self._taken_in = self._taken_in, {}
        held = self._failover_buffer is not None and self._failover_buffer.is_open
        for sender, number in self._acks.end_turn(senders, self._lagging, held):
            sender.send(wire.encode(wire.Accepted(number)))
            self._dirty[sender] = None
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
                self._loop.watch(peer.sock, functools.partial(self._receive, peer), write=not lagged)

    def _sweep(self) -> None:
        if self._closed:
            return
        if not self._runtime_dir.touch(self._lock):
            logger.error(
                "Somebody has removed %s, where processes meet. They look again.", self._runtime_dir.path
            )
            self._count_drop("broker_lost", len(self._work_queues))  # what waited, with its file
            self.close()
            return
        self._work_queues.sweep()
        for peer in tuple(self._processes.values()):
            if peer.sock is None and peer.gone_since < time.monotonic() - REMEMBER:
                self._count_drop("cut_off", peer.lost)
                self._forget(peer)
        self._loop.call_later(SWEEP, self._sweep)

    def statistics(self) -> dict[str, Any]:
        """Return counts: processes, groups, messages passed on, bytes that wait, named channels."""
        return {
            "processes": len(self._processes),
            "groups": len(self._subscriptions),
            "messages": self._passed,
            "backlog": sum(len(peer.queue) for peer in tuple(self._lagging)),
            **self._work_queues.statistics(),
        }

    # The end

    def close(self) -> None:
        """Pass on what has arrived, and leave the directory to others; harmless when closed."""
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
        self._listener.close()
        alone = not self._connections
        for peer in tuple(self._connections):
            self._disconnect(peer)
        if alone and self._runtime_dir.touch(self._lock):
            self._runtime_dir.remove_socket()
        self._work_queues.close()
        os.close(self._lock)

    def abandon(self) -> None:
        """Close what a forked child has inherited; its parent's broker goes on."""
        if self._closed:
            return  # the descriptors are somebody else's by now
        self._closed = True
        for peer in self._connections:
            if peer.sock is not None:
                peer.sock.close()
        self._work_queues.abandon()
        self._listener.abandon()
        os.close(self._lock)
