"""The one connection of a process to the broker, shared by all its threads and event loops.

Its thread connects, and carries the broker if this process is the first to arrive, or the first to notice
that the broker has gone. It reads, too, unless an event loop does.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Final, Protocol

from channels.exceptions import ChannelLayerUnavailable
from channels.layers.host.broker.broker import Broker
from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.client.reading import Reading
from channels.layers.host.client.receiver import Receiver
from channels.layers.host.client.sender import Sender
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory, require_same_user

#: Seconds between two attempts to find or to become the broker: at first, and at most.
RETRY: Final = (0.005, 0.2)
#: Seconds between two looks at what was left undone.
TICK: Final = 1.0
#: Seconds a client that is closed has to write what was sent.
FAREWELL: Final = 2.0


class FrameHandler(Protocol):
    """Where a client hands over what arrives.

    Attributes:
        queue: gets, in order, whatever order matters for.
    """

    queue: DeliveryQueue

    def dropped(self, reason: str, amount: int) -> None:
        """Messages were lost."""

    def reconnected(self, away: float, lost: int) -> None:
        """There is a broker again, after ``away`` seconds; ``lost`` messages are known to be missing."""

    def announcement(self) -> tuple[list[str], list[wire.NamedSubscription]]:
        """Return this process' confirmed groups, and the named channels it has added to groups."""
        ...


class BrokerClient:
    """See the text of the module.

    Args:
        runtime_dir: where the processes of the project meet.
        process: the identity of this one.
        frame_handler: gets what arrives.
        timeout: seconds without a broker after which senders get an error.
        max_backlog: for the broker, should this process carry it.
        numbers: of the frames, see :class:`~channels.layers.host.client.sender.Sender`.

    Attributes:
        broker: the broker, if this process carries it.
        connected: whether there is a broker that knows this process.
        known: whether there ever was.
        features: what the broker can do beside what every release of its version does.
        tell: sends a frame, see :meth:`~channels.layers.host.client.sender.Sender.post`.
        read_in: has an event loop read, see :meth:`~channels.layers.host.client.reading.Reading.read_in`.
    """

    def __init__(
        self,
        runtime_dir: RuntimeDirectory,
        process: str,
        frame_handler: FrameHandler,
        timeout: float,
        max_backlog: int,
        numbers: Iterator[int],
    ) -> None:
        self.process = process
        self.broker: Broker | None = None
        self.connected = False
        self.known = False
        self.features: list[str] = []
        self._runtime_dir = runtime_dir
        self._frame_handler = frame_handler
        self._timeout = timeout
        self._max_backlog = max_backlog
        self._loop = PollLoop(f"channels-host-{process[:8]}")
        self._sender = Sender(lambda: self._loop.call_soon(self._reading.watch_for_room), numbers)
        self.tell = self._sender.post
        self.collecting = self._sender.collecting
        self._receiver = Receiver(self._table(), frame_handler.queue, self._ended)
        self._reading = Reading(self._loop, self._receiver, self._sender.resume)
        self.read_in = self._reading.read_in
        self._sock: socket.socket | None = None
        self._held: dict[str, None] = {}
        self._broker_pid = 0
        self._away_since = time.monotonic()
        self._lost = 0
        self._attempts = 0
        self._problem: Exception | None = None
        self._closing_until: float | None = None

    def _table(self) -> dict[type[wire.Frame], Callable[[Any], None]]:
        return {
            wire.Welcome: self._welcome,
            wire.Accepted: lambda frame: self._sender.unacked.accepted(frame.number),
            wire.Answer: self._answer,
            wire.GroupQueryResult: self._members,
            wire.Delivered: self._given,
            wire.Dropped: lambda frame: self._frame_handler.dropped(frame.reason, frame.amount),
        }

    # From any thread

    def start(self) -> None:
        """Start the thread; it finds the broker, or becomes it."""
        self._loop.call_soon(self._connect)
        self._loop.call_soon(self._tick)
        self._loop.start()

    def require_available(self) -> None:
        """Raise ChannelLayerUnavailable if there was no broker for longer than ``timeout``."""
        if not self.connected and (self._problem is not None or self._away > self._timeout):
            raise self._unavailable()

    def ask(self, frame: wire.Numbered, loop: asyncio.AbstractEventLoop | None = None) -> Request:
        """Send a frame that the broker answers; see :class:`~channels.layers.host.client.unacked.Request`."""
        request = Request(loop)
        self.tell(frame, request)
        return request

    def settle(self, key: str, done: bool) -> None:
        """Be done with a message that was taken, or give it back."""
        self._held.pop(key, None)
        self.tell(wire.Ack(wire.UNSENT, key, done))

    def give_up(self, take: Request) -> None:
        """Stop waiting for a message; if it is here already, it goes back."""
        if not take.future.cancel():
            take.future.add_done_callback(self._give_back)
        elif take.number:  # else it is being written, and its answer goes back
            self.tell(wire.Cancel(wire.UNSENT, take.number))

    def _give_back(self, taken: Future[Any]) -> None:
        if not taken.cancelled() and taken.exception() is None:
            self.settle(taken.result()[0], done=False)

    def wait_for(self, future: Future[Any], seconds: float = 0.0) -> Any:
        """Return what ``future`` gets; the calling thread does nothing else meanwhile.

        Args:
            future: of an answer.
            seconds: what the answer may take beside ``timeout``.

        Raises:
            ChannelLayerUnavailable: it took longer.
        """
        self._reading.read_here()
        try:
            return future.result(seconds + self._timeout)
        except TimeoutError:
            raise self.silence() from None

    def catch_up(self) -> None:
        """Deliver what has arrived."""
        self._receiver.read()
        self._frame_handler.queue.deliver()

    def silence(self) -> ChannelLayerUnavailable:
        """Return the error for a broker that does not answer."""
        if not self.connected:
            return self._unavailable()
        return ChannelLayerUnavailable(
            f"The broker of the host layer at {str(self._runtime_dir.path)!r}, in process "
            f"{self._broker_pid}, has not answered for {self._timeout:g} seconds (CONFIG['timeout']). "
            "Is that process stopped?"
        )

    @property
    def _away(self) -> float:
        return time.monotonic() - self._away_since

    def _unavailable(self) -> ChannelLayerUnavailable:
        why = self._problem or "another process holds the lock and does not listen; is it stopped?"
        return ChannelLayerUnavailable(
            f"No broker of the host layer at {str(self._runtime_dir.path)!r} for {self._away:.1f} seconds: "
            f"{why}"
        )

    def close(self) -> None:
        """Write what was sent, tell the broker, end the thread; waits twice :data:`FAREWELL` at most."""
        self._loop.call_soon(self._shut_down)
        self._loop.join(2 * FAREWELL)

    def abandon(self) -> None:
        """Close what a forked child has inherited; its parent's client goes on."""
        self._reading.abandon()
        if self._sock is not None:
            self._sock.close()
        if self.broker is not None:
            self.broker.abandon()
        self._loop.abandon()

    # In the client's thread: finding the broker

    def _connect(self) -> None:
        if self._sock is not None:
            return
        try:
            sock = self._runtime_dir.connect() or self._carry()
            if sock is None:
                self._retry()
            else:
                self._greet(sock)
        except Exception as error:  # whatever it is, those who wait must know
            self._fail(error)

    def _carry(self) -> socket.socket | None:
        """Become the broker unless another process is about to."""
        self._runtime_dir.prepare()
        lock = self._runtime_dir.try_lock()
        if lock is None:
            return None
        try:
            self.broker = Broker(
                self._runtime_dir, lock, self._loop, self._max_backlog, self._frame_handler.dropped
            )
        except BaseException:
            os.close(lock)
            raise
        return self._runtime_dir.connect()

    def _greet(self, sock: socket.socket) -> None:
        try:
            require_same_user(sock)
        except PermissionError:
            sock.close()
            raise
        self._sock = sock
        groups, named = self._frame_handler.announcement()
        hello = wire.Hello(self.process, os.getpid(), groups, named, list(self._held), [wire.GROUP_MEMBERS])
        self._reading.connect(sock)
        self._sender.connect(sock, wire.encode(hello))

    def _retry(self) -> None:
        self._attempts += 1
        delay = min(RETRY[1], RETRY[0] * 1.5 ** min(self._attempts, 20))
        self._loop.call_later(delay * random.uniform(0.5, 1), self._connect)  # noqa: S311 (jitter)

    def _fail(self, error: Exception) -> None:
        self._problem = error
        self._give_up_on_all()
        self._retry()

    def _give_up_on_all(self) -> None:
        lost = self._sender.give_up(self._unavailable())
        if lost:
            self._frame_handler.dropped("broker_lost", lost)

    def _welcome(self, frame: wire.Welcome) -> None:
        again, self.known = self.known, True
        self._broker_pid, self.features = frame.pid, frame.features
        self.connected, self._problem, self._attempts = True, None, 0
        lost, self._lost = self._lost + frame.lost, 0
        if frame.lost:
            self._frame_handler.dropped("cut_off", frame.lost)
        if again:
            self._frame_handler.reconnected(self._away, lost)
        if self._frame_handler.queue.loop is not None:
            self.read_in(self._frame_handler.queue.loop)

    def _disconnect(self) -> None:
        """The broker has gone, and all it has sent was read."""
        if self._sock is None:
            return
        self._reading.disconnect()
        self._sender.disconnect()
        self._sock.close()
        self._sock, self.connected, self._away_since = None, False, time.monotonic()
        lost = self._sender.unacked.take_forgotten()
        if lost:
            self._lost += lost
            self._frame_handler.dropped("broker_lost", lost)

    def _tick(self) -> None:
        self._sender.flush()  # what an event loop has collected before it was stopped
        self._frame_handler.queue.hand_over()  # what it was told to deliver
        if not self.connected and self._away > self._timeout:
            self._give_up_on_all()
        self._loop.call_later(TICK, self._tick)

    def _shut_down(self) -> None:
        """End when all is written; a client that is just being made has its time too."""
        if self._closing_until is None:
            self._closing_until = time.monotonic() + FAREWELL
            self.tell(wire.Bye(wire.UNSENT))
        unwritten = self._sock is None or not self._sender.empty
        if unwritten and self._problem is None and time.monotonic() < self._closing_until:
            self._loop.call_later(0.002, self._shut_down)
            return
        self._disconnect()
        if self.broker is not None:
            self.broker.close()
        if unwritten:
            self._give_up_on_all()
        self._loop.stop()

    def _ended(self, error: wire.WireError | None) -> None:
        """Go on in the client's thread when the broker has gone, or has sent what is no frame."""
        self._loop.call_soon(functools.partial(self._lose_broker, error))

    def _lose_broker(self, error: wire.WireError | None) -> None:
        self._disconnect()
        if error is not None:
            self._fail(error)
        else:
            self._loop.call_soon(self._connect)

    # In the thread that reads

    def _answer(self, frame: wire.Answer) -> None:
        for sender, number in frame.seen.items():
            self._receiver.is_new(sender, number)
        request = self._sender.unacked.answered(frame.number)
        if request is not None:
            request.future.set_result(frame.error)

    def _members(self, frame: wire.GroupQueryResult) -> None:
        request = self._sender.unacked.answered(frame.number)
        if request is not None:
            request.future.set_result(frame)

    def _given(self, frame: wire.Delivered) -> None:
        request = self._sender.unacked.answered(frame.number)
        if request is None:
            self.settle(frame.key, done=False)
        else:
            self._held[frame.key] = None
            request.future.set_result((frame.key, frame.payload))
