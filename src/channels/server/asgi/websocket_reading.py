"""The half of a WebSocket that reads: what the peer says waits here, within bounds, for the application."""

from __future__ import annotations

from abc import abstractmethod

from channels import telemetry
from channels.core.token_bucket import TokenBucket
from channels.protocols.events import CloseReceived, MessageReceived
from channels.protocols.websocket.connection import WebSocketConnection
from channels.server.asgi import inspection
from channels.server.asgi.event_queue import EventQueue
from channels.server.asgi.stream import Stream
from channels.server.asgi.websocket_states import State
from channels.server.interfaces import Link
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.keepalive import Keepalive
from channels.server.limits.turns import QUANTUM
from channels.server.reports.protocol_facts import count_facts
from channels.server.runtime import Runtime
from channels.typing import Message, Scope

# Members of an enum are slow to come by.
_OPEN, _CLOSING, _OVER = State.OPEN, State.CLOSING, State.OVER
_ONE_READ = QUANTUM - 1
#: Messages between two looks at a rate that is not limited.
_MANY = 2**29
#: Before anything: one float for all sockets.
_LONG_AGO = -NEVER


class WebSocketReadingHalf(Stream):
    """Parses frames, and queues their messages for the application.

    When ``websocket_queue_size`` messages or ``websocket_queue_bytes`` wait, the connection is not read any
    more. In one turn of the loop :data:`QUANTUM` frames are parsed at most, so that other connections have
    theirs. The other half says what follows from an end, a close or a broken limit.

    Args:
        runtime: what the process shares.
        label: what the log calls the stream.
        link: carries the bytes once it is open.

    Attributes:
        opened_at: when its request came, in seconds of the loop.
        held: the connection is not read, because the application is behind.
    """

    __slots__ = (
        "_control_at",
        "_control_pace",
        "_inbox",
        "_keepalive",
        "_link",
        "_pace",
        "_protocol",
        "_rest",
        "_resting",
        "_state",
        "_unjudged",
        "held",
        "opened_at",
    )

    #: Moved by the other half only.
    _state: State
    _protocol: WebSocketConnection
    _keepalive: Keepalive

    def __init__(self, runtime: Runtime, label: str, scope: Scope, link: Link) -> None:
        super().__init__(runtime, label, scope, link)
        config = runtime.config
        self._link = link
        self._inbox = EventQueue(config.websocket_queue_size, config.websocket_queue_bytes)
        #: Made with the first message, as it is full until then: many sockets only listen (row "memory").
        self._pace: TokenBucket | None = None
        #: So many messages may come before the rate is judged again.
        self._unjudged = 0
        self._control_pace: TokenBucket | None = None
        self._control_at = _LONG_AGO
        self.opened_at = runtime.timers.now
        self.held = self._resting = False
        self._rest: tuple[int, str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was accepted and nobody has closed it yet."""
        return self._state is _OPEN

    # What the other half does

    @abstractmethod
    def _close_received(self, event: CloseReceived) -> None:
        """The peer has closed, or has broken the protocol."""

    @abstractmethod
    def _floods(self, size: int) -> bool:
        """Count ``size`` bytes that came behind our close; returns whether they are too many."""

    @abstractmethod
    def _refuse_more(self, reason: str) -> None:
        """The peer sends more than it may: end the WebSocket, and parse nothing more."""

    # From the connection, once it is open

    def data_received(self, data: bytes) -> None:
        """Parse what the peer sent; it also shows that the peer is alive."""
        self._keepalive.alive_at = self.runtime.timers.now
        protocol, message = self._protocol, None
        if self._unjudged > 0 and self._state is _OPEN and not self.held and not self._resting:
            message = protocol.whole_message(data)
        if message is None:
            self._parse(data)
            return
        # What _message_received() does, without a call for each message (row "echo").
        protocol.frames_left = _ONE_READ
        self._unjudged -= 1
        if self._inbox.put(message):
            self._hold()
        wakeup = self._wakeup
        self.runtime.rounds.announce(self.announce if wakeup is None or self._waiters else wakeup)

    def _parse(self, data: bytes) -> None:
        if self._state is _CLOSING and self._floods(len(data)):
            return
        self._protocol.receive_data(data)
        self._advance()

    def read_on(self) -> None:
        """Parse what the last turn of the loop has left."""
        self._resting = False
        rest, self._rest = self._rest, None
        if rest is not None:
            self._take_rest(*rest)
        elif self._state is not _OVER:
            self._advance()
            self.runtime.turns.frames += self.frames_parsed

    @property
    def frames_parsed(self) -> int:
        """How many frames were parsed of what came last; HTTP/2 counts those of its streams into its turn."""
        return QUANTUM - self._protocol.frames_left

    def _advance(self) -> None:
        """Take what the protocol has understood, as much of it as may wait here and fits into this turn."""
        if self._resting:
            return
        protocol = self._protocol
        protocol.frames_left = QUANTUM
        next_event = protocol.next_event
        while not self.held and (event := next_event()) is not None:
            if type(event) is MessageReceived:  # cheaper than isinstance(), for nearly every frame
                self._message_received(event.data)
            elif isinstance(event, CloseReceived):
                self._close_received(event)
        if protocol.control_frames and self._state is not _OVER and not self._control_is_allowed():
            telemetry.count("server.too_many_frames", label=self.label)
            rate = self.runtime.config.websocket_max_control_rate
            self._refuse_more(f"At most {rate} frames without a message a second")
        if protocol.frames_left <= 0 and not self.held and protocol.has_more:
            self._read_later()
        if protocol.facts:
            count_facts(protocol)
        if protocol.output:
            self._write()

    def _read_later(self) -> None:
        self._resting = True
        self._link.read_later()

    def _write(self) -> None:
        data = self._protocol.data_to_send()
        if data:
            self._link.write(data)

    def _message_received(self, data: str | bytes) -> None:
        """Queue a message, unless it is behind our close or one too many."""
        if self._state is not _OPEN:
            return
        if self._unjudged > 0:
            self._unjudged -= 1
        elif not self._rate_is_kept():
            telemetry.count("server.too_many_messages", label=self.label)
            self._refuse_more(f"At most {self.runtime.config.websocket_max_rate} messages a second")
            return
        if self._inbox.put(data):
            self._hold()
        wakeup = self._wakeup  # a consumer's; a plain application waits in receive()
        self.runtime.rounds.announce(self.announce if wakeup is None or self._waiters else wakeup)

    def _rate_is_kept(self) -> bool:
        """Judge the message for which there was no token left; most messages cost one subtraction."""
        rate, now = self.runtime.config.websocket_max_rate, self.runtime.timers.now
        if self._pace is None and rate:
            self._pace = TokenBucket(rate, now)
        tokens = _MANY if self._pace is None else self._pace.take_all(now)
        self._unjudged = max(0, tokens - 1)
        return tokens > 0

    def _control_is_allowed(self) -> bool:
        """Count the frames that have brought no message. One now and then, as a pong, takes no memory."""
        amount, self._protocol.control_frames = self._protocol.control_frames, 0
        rate, now = self.runtime.config.websocket_max_control_rate, self.runtime.timers.now
        before, self._control_at = self._control_at, now
        if not rate or (amount == 1 and now - before >= 1.0):
            return True
        if self._control_pace is None:
            self._control_pace = TokenBucket(rate, now)
        return self._control_pace.allows(now, amount)

    # For the application

    def receive_nowait(self) -> Message | None:
        """Take the oldest event; None if there is none, and for ever after the disconnect."""
        inbox = self._inbox
        if inbox.next is None and inbox.disconnect is None:
            return None  # asked after each message, so without a call
        message = inbox.take()
        if self.held:
            self.progressed()
            if inbox.roomy:
                self._release()
        return message

    def _hold(self) -> None:
        if not self.held and self._state < _OVER:
            self.held = True
            self._link.pause_reading()

    def _release(self) -> None:
        self.held = False
        # It was we who did not listen: the peer's silence starts now.
        self._keepalive.alive_at = self.runtime.timers.now
        if self._rest is not None:
            self.read_on()
        elif self._state < _OVER and self._protocol.has_more and not self._resting:
            # In a turn of its own: a consumer that takes and takes would have all of it parsed in this one.
            self._read_later()
        self._link.resume_reading()

    # The end

    def _take_rest(self, code: int, reason: str) -> None:
        """What arrived before the end belongs to the application; what is too much at once waits unparsed."""
        protocol, inbox = self._protocol, self._inbox
        protocol.frames_left = QUANTUM
        while not inbox.full and (event := protocol.next_event()) is not None:
            if isinstance(event, MessageReceived):
                inbox.put(event.data)
            elif isinstance(event, CloseReceived):
                code, reason = event.code, event.reason
        self.runtime.turns.frames += QUANTUM - protocol.frames_left
        if inbox.full and protocol.has_more:
            self._wait_with_rest(code, reason)
        elif protocol.frames_left > 0 or not protocol.has_more or not self._control_is_allowed():
            self._finish(code, reason)
        else:
            self._rest = code, reason
            self.runtime.turns.later(self)
            self.announce()

    def _wait_with_rest(self, code: int, reason: str) -> None:
        """Parse the rest when the application has taken some messages, for which it has a time limit."""
        self._rest = code, reason
        self.held = True
        self.expect_return()
        self.announce()

    def _finish(self, code: int, reason: str) -> None:
        """Tell the application that the WebSocket is over."""
        self._inbox.finish(code, reason)
        if inspection.endings is not None:
            inspection.note_ending(self, code, reason)
        if telemetry.listeners and hasattr(self, "_protocol"):  # it was open
            telemetry.emit("server.websocket_finished", code=code)
        if self.task is None:
            self.runtime.timers.cancel(self)
        else:
            self.expect_return()
            self.announce()

    def _nobody_listens(self) -> None:
        """Drop what no application will take any more, so that the peer's close is reached."""
        self._inbox.clear()
        self._rest = None
        if self.held:
            self._release()
