"""One WebSocket: from the opening request over its messages to its end.

Longer than other files, because it is one machine of five states: each method is a step from one of them to
another, and whoever changes a step has to see the others. What has no state is in modules of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.core.broadcast import Broadcast
from channels.core.token_bucket import TokenBucket
from channels.protocols.events import CloseReceived, Handshake, MessageReceived, RequestReceived
from channels.protocols.websocket.connection import WebSocketConnection
from channels.server.asgi.broadcast_frames import frames_of, payloads
from channels.server.asgi.event_queue import EventQueue
from channels.server.asgi.handshake import PendingHandshake, handshake_refused, handshake_timed_out
from channels.server.asgi.scope import named_request, websocket_scope
from channels.server.asgi.stream import ClientDisconnected, Stream, logger, named
from channels.server.asgi.websocket_states import (
    FAILED,
    LOST,
    NORMAL,
    POLICY,
    RESTARTING,
    State,
    is_violation,
)
from channels.server.interfaces import Carrier, Exchange, Link
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.keepalive import Keepalive, Verdict
from channels.server.limits.turns import QUANTUM
from channels.server.reports.protocol_facts import count_facts
from channels.server.reports.targets import path_of, shown
from channels.server.runtime import Runtime
from channels.typing import Message

# Members of an enum are slow to come by.
_CONNECTING, _DENYING, _OPEN, _CLOSING, _OVER = State


class WebSocketStream(Stream):
    """A WebSocket and the run of the application behind it. Also the Handler of its connection.

    Messages wait here until the application takes them; when ``websocket_queue_size`` of
    them or ``websocket_queue_bytes`` wait, the connection is not read any more.

    Args:
        request: the opening request.
        handshake: what it asks for.
        runtime: what the process shares.
        exchange: answers the opening request.
        link: carries the bytes once it is open.

    Attributes:
        held: the connection is not read, because the application is behind.
    """

    __slots__ = (
        "_behind_close",
        "_control_at",
        "_control_pace",
        "_due",
        "_inbox",
        "_keepalive",
        "_link",
        "_opening",
        "_pace",
        "_protocol",
        "_request",
        "_rest",
        "_resting",
        "_state",
        "held",
    )

    def __init__(
        self, request: RequestReceived, handshake: Handshake, runtime: Runtime, exchange: Exchange, link: Link
    ) -> None:
        super().__init__(runtime, f"WebSocket {path_of(request.target)}")
        self._state = _CONNECTING
        self._link = link
        self._opening: PendingHandshake | None = PendingHandshake(handshake, runtime, exchange)
        self._protocol: WebSocketConnection
        self._keepalive: Keepalive
        config = runtime.config
        self._inbox = EventQueue(config.websocket_queue_size, config.websocket_queue_bytes)
        self._due = NEVER
        rate = config.websocket_max_rate
        self._pace = TokenBucket(rate, runtime.timers.now) if rate else None
        self._control_pace: TokenBucket | None = None
        self._control_at = -NEVER
        self._behind_close = 0
        self.held = self._resting = False
        self._rest: tuple[int, str] | None = None
        runtime.websockets += 1
        scope = websocket_scope(request, runtime, exchange, handshake.subprotocols, self)
        self._client = scope["client"]
        #: For the access log.
        self._request = request if config.action_logger is not None else None
        if self._request is not None:
            self._log(self._request, "connecting")
        self._expect_within(config.websocket_connect_timeout)
        self.start(scope)

    @property
    def carrier(self) -> Carrier:
        """The carrier that counts the run while its peer is gone."""
        return self._link

    # From the connection, once it is open

    def data_received(self, data: bytes) -> None:
        """Parse what the peer sent; it also shows that the peer is alive."""
        self._keepalive.alive_at = self.runtime.timers.now
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

    def eof_received(self) -> bool:
        """The peer sends nothing more. Returns False: nothing can be sent to it either."""
        self._protocol.receive_eof()
        self._advance()
        self._over(LOST)
        return False

    def peer_closed(self) -> None:
        """The peer has closed behind more than is read ahead: the consumer has to go on with it."""
        self.expect_progress()

    def connection_lost(self) -> None:
        """The connection is gone: tell the application that the WebSocket is over."""
        self._over(LOST)

    @property
    def is_open(self) -> bool:
        """Whether it was accepted and nobody has closed it yet."""
        return self._state is _OPEN

    @property
    def unanswered(self) -> bool:
        """Whether the application has neither accepted nor refused the handshake yet."""
        return self._state is _CONNECTING

    def stop(self) -> None:
        """The server stops: refuse, or close with 1012 (Service Restart)."""
        if self._state is _CONNECTING:
            self.fail(503, "The server is stopping.")
        elif self._state is _OPEN:
            self._close(RESTARTING, "The server restarts")

    # From the protocol that carries the handshake

    def peer_finished(self) -> None:
        """The peer closed before its handshake was answered: close the connection, too."""
        self._over(LOST)
        self._link.close()

    def peer_left(self) -> None:
        """The connection was lost before the handshake was answered."""
        self._over(LOST)

    def fail(self, status: int, text: str) -> None:
        """Refuse the handshake with ``status`` and a sentence, in the application's place; it is over."""
        if self._opening is not None:
            self._opening.refuse(status, text)
            self._over(LOST)

    # Events for the application

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
            self._too_much_control()
        if protocol.frames_left <= 0 and not self.held and protocol.has_more:
            self._read_later()
        if protocol.facts:
            count_facts(protocol)
        if protocol.output:
            self._write()

    def _read_later(self) -> None:
        self._resting = True
        self._link.read_later()

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

    def _too_much_control(self) -> None:
        telemetry.count("server.too_many_frames", label=self.label)
        if self._state is _OPEN:
            rate = self.runtime.config.websocket_max_control_rate
            self._refuse_more(f"At most {rate} frames without a message a second")
        else:
            self._over(LOST)
            self._link.close(linger=True)

    def _message_received(self, data: str | bytes) -> None:
        if self._state is _OPEN:
            if self._pace is not None and not self._pace.allows(self.runtime.timers.now):
                self._too_fast()
                return
            if self._inbox.put(data):
                self._hold()
            self.runtime.rounds.announce(self)

    def _too_fast(self) -> None:
        telemetry.count("server.too_many_messages", label=self.label)
        self._refuse_more(f"At most {self.runtime.config.websocket_max_rate} messages a second")

    def _refuse_more(self, reason: str) -> None:
        """Close and parse no more frames: those behind our close cost as much as those before it."""
        self._protocol.close(POLICY, reason)
        self._state = _CLOSING
        self._hold()
        self._write()
        self._over(POLICY, reason)
        self._link.close(linger=True)

    def _floods(self, size: int) -> bool:
        """Whether more came behind our close than was on its way; the connection is closed then."""
        self._behind_close += size
        if self._behind_close <= self.runtime.config.websocket_queue_bytes:
            return False
        telemetry.count("server.too_many_messages", label=self.label)
        self._over(LOST)
        self._link.close(linger=True)
        return True

    def _close_received(self, event: CloseReceived) -> None:
        """End the WebSocket: the peer has closed it, or has broken the protocol."""
        if answer := self._protocol.data_to_send():
            self._link.write_now(answer)
        self._over(event.code, event.reason)
        # After a violation the peer may still be sending, and should yet read why it was closed.
        self._link.close(linger=is_violation(event.code, self.label))

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

    def receive_nowait(self) -> Message | None:
        """Take the oldest event; None if there is none, and for ever after the disconnect."""
        inbox = self._inbox
        if inbox.next is None and inbox.disconnect is None:
            return None  # asked beside each message of a group, so without a call
        message = inbox.take()
        if self.held:
            self.progressed()
            if inbox.roomy:
                self._release()
        return message

    # Messages of the application

    async def send(self, message: Message) -> None:
        """Take a message of the application; waits while the peer does not read.

        Raises:
            ValueError: it is out of turn, of an unknown type, or cannot be sent.
            TypeError: it holds something of the wrong type.
            OSError: the WebSocket is closed already; consumers count that and go on.
        """
        kind = message.get("type", "")
        action = _send if kind == "websocket.send" and self._state is _OPEN else _SEND[self._state].get(kind)
        if action is None:
            raise ValueError(self._out_of_turn(kind))
        action(self, message)
        if self._link.congested and self._state is _OPEN:
            await self._link.wait_writable()

    def write_broadcast(self, broadcast: Broadcast) -> bool:
        """Write messages for many sockets at once; see :data:`channels.core.broadcast.FastlaneWrite`."""
        if self._state is not _OPEN or self._link.congested:
            return False
        frames = frames_of(broadcast, self._protocol.compression)
        if frames is not None:
            self._link.write_now(frames)
        return frames is not None

    def _out_of_turn(self, kind: str) -> str:
        allowed = ", ".join(sorted(_SEND[self._state]))
        state = self._state.name.lower()
        return f"Cannot handle message type {kind}! A WebSocket that is {state} takes: {allowed}."

    def _accept(self, message: Message) -> None:
        opening = self._unanswered()
        answer = opening.answer(message)
        self._opening = None
        self._state = _OPEN
        self._protocol = WebSocketConnection(self.runtime.websocket_limits, opening.deflate)
        self._keepalive = Keepalive(self.runtime.keepalive_limits, self.runtime.timers.now)
        if self._request is not None:
            self._log(self._request, "connected")
        try:
            opening.exchange.upgrade(self, *answer)
        except (ValueError, TypeError):
            # A header cannot be sent, so nothing was.
            self._opening, self._state = opening, _CONNECTING
            raise
        self._due = NEVER
        self.runtime.timers.schedule(self, self._keepalive.next_due)

    def _unanswered(self) -> PendingHandshake:
        assert self._opening is not None  # the states before OPEN have it
        return self._opening

    def refusal_logged(self) -> None:
        """Whoever is about to refuse the handshake has logged why; the server adds no line of its own."""
        if self._opening is not None:
            self._opening.refusal_logged = True

    def _refuse(self, message: Message) -> None:
        handshake_refused(self.label, log=not self._unanswered().refusal_logged)
        self.fail(403, "Access denied.")

    def _deny(self, message: Message) -> None:
        self._unanswered().response.start(message)
        self._state = _DENYING

    def _deny_body(self, message: Message) -> None:
        if self._unanswered().response.body(message):
            self._over(LOST)
        self._due = NEVER

    def _send(self, message: Message) -> None:
        text = message.get("text")
        if type(text) is str and message.get("bytes") is None:  # what nearly every message is
            self._link.write(self._protocol.message_to_send(text))
        else:
            for payload in payloads(message):
                self._link.write(self._protocol.message_to_send(payload))
        if self._protocol.facts:
            count_facts(self._protocol)
        if self._link.congested and self._link.unsent > self.runtime.config.write_limit:
            self._link.cut("bytes")

    def _close_by_application(self, message: Message) -> None:
        code = message.get("code")
        reason = message.get("reason") or ""
        if not isinstance(reason, str):
            raise TypeError(f"'reason' of websocket.close must be a str, got {type(reason).__name__}.")
        self._close(NORMAL if code is None else code, reason)

    def _close(self, code: int, reason: str) -> None:
        self._protocol.close(code, reason)
        self._state = _CLOSING
        self._write()
        self._expect_within(self.runtime.config.websocket_close_timeout)

    def _too_late(self, message: Message) -> None:
        self.late(message)
        raise ClientDisconnected(f"{message['type']} reaches nobody: the WebSocket is closed.")

    def _write(self) -> None:
        data = self._protocol.data_to_send()
        if data:
            self._link.write(data)

    # The end

    def _over(self, code: int, reason: str = "") -> None:
        """Tell the application, after all that it has not taken yet."""
        was, self._state = self._state, _OVER
        if was is _OVER:
            return
        opening, self._opening = self._opening, None
        if self._request is None:
            pass
        elif was in (_OPEN, _CLOSING):
            self._log(self._request, "disconnected")
        else:
            self._log(self._request, "rejected", 0 if opening is None else opening.status)
        if was is _OPEN and not self._protocol.closed:
            self._take_rest(code, reason)
        else:
            self._finish(code, reason)

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
        if self.task is None:
            self.runtime.timers.cancel(self)
        else:
            self.expect_return()
            self.announce()

    def application_failed(self) -> None:
        """The application raised: answer 500, or close with 1011 (Internal Error)."""
        self.fail(500, "The server could not answer this handshake.")
        if self._state is _OPEN:
            self._close(FAILED, "")
        self._nobody_listens()

    def application_returned(self) -> None:
        """The application returned: close an open WebSocket, log an unanswered handshake as a mistake."""
        if self._state <= _DENYING:
            logger.error("The application returned without an answer to the handshake: %s", self.label)
            self.fail(500, "The server could not answer this handshake.")
        elif self._state is _OPEN:
            self._close(NORMAL, "")
        self._nobody_listens()

    def _nobody_listens(self) -> None:
        """Drop what no application will take any more, so that the peer's close is reached."""
        self._inbox.clear()
        self._rest = None
        if self.held:
            self._release()

    def _ended(self) -> None:
        super()._ended()
        if self._state is _CLOSING:
            self.runtime.timers.schedule(self, self._due)

    # Time

    def _expect_within(self, limit: float | None) -> None:
        self._due = NEVER if limit is None else self.runtime.timers.now + limit
        self.runtime.timers.schedule(self, self._due)

    def on_due(self, now: float) -> float:
        """Carry out the time limit of the present state, if it is up."""
        if self._state is _OVER:
            return super().on_due(now)
        if self._state is _OPEN:
            return super().on_due(now) if now >= self._leave_by else self._on_keepalive_due(now)
        if now < self._due:
            return self._due
        if self._state is _CLOSING:
            self._link.cut("close")
            self._over(LOST)
        else:
            handshake_timed_out(self.label, self.runtime.config.websocket_connect_timeout)
            self.fail(503, "The application did not answer in time.")
        return self._leave_by

    def _on_keepalive_due(self, now: float) -> float:
        if self.held:
            self._keepalive.alive_at = now
        verdict = self._keepalive.judge(now)
        if verdict is Verdict.PING:
            self._protocol.ping(b"")
            self._write()
        elif verdict is Verdict.DEAD:
            telemetry.count("server.ping_timeout", label=self.label)
            self._close(FAILED, "No answer to a ping")
            self._link.close()
            self._over(LOST)
            return self._leave_by
        elif verdict is Verdict.EXPIRED:
            telemetry.count("server.websocket_timeout", label=self.label)
            self._close(NORMAL, "It was open as long as it may be")
            return self._due
        return self._keepalive.next_due

    def _log(self, request: RequestReceived, action: str, status: int = 0) -> None:
        """Write to the access log; asked for only where there is one."""
        self.runtime.log("websocket", action, functools.partial(self._details, request, status))

    def _details(self, request: RequestReceived, status: int) -> dict[str, Any]:
        config = self.runtime.config
        path = shown(request.target.decode("ascii", "replace"), config)
        answered = {"status": status} if status else {}
        return {"client": named(self._client), "path": path, **answered, **named_request(request, config)}


_Action = Callable[[WebSocketStream, Message], None]
#: What nearly every message is, without a look into the table.
_send: _Action = WebSocketStream._send
#: What an application may send in which state, and who takes it.
_SEND: dict[int, dict[str, _Action]] = {
    _CONNECTING: {
        "websocket.accept": WebSocketStream._accept,
        "websocket.close": WebSocketStream._refuse,
        "websocket.http.response.start": WebSocketStream._deny,
    },
    _DENYING: {
        "websocket.http.response.start": WebSocketStream._deny,
        "websocket.http.response.body": WebSocketStream._deny_body,
    },
    _OPEN: {
        "websocket.send": WebSocketStream._send,
        "websocket.close": WebSocketStream._close_by_application,
    },
    _CLOSING: {"websocket.send": WebSocketStream._too_late, "websocket.close": WebSocketStream.late},
    _OVER: {
        "websocket.accept": WebSocketStream._too_late,
        "websocket.send": WebSocketStream._too_late,
        "websocket.close": WebSocketStream.late,
        "websocket.http.response.start": WebSocketStream.late,
        "websocket.http.response.body": WebSocketStream.late,
    },
}
