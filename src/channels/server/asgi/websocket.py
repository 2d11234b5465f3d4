"""One WebSocket: from the opening request over its messages to its end.

It is one machine of five states: each method is a step from one of them to another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.core.broadcast import Broadcast
from channels.protocols.events import CloseReceived, Handshake, RequestReceived
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.frames import text_frame
from channels.server.asgi.broadcast_frames import frames_of, payloads
from channels.server.asgi.handshake import PendingHandshake, handshake_refused, handshake_timed_out
from channels.server.asgi.scope import named_request, new_scope, shared_fields
from channels.server.asgi.stream import ClientDisconnected, logger, named
from channels.server.asgi.websocket_reading import WebSocketReadingHalf
from channels.server.asgi.websocket_states import (
    FAILED,
    LOST,
    NORMAL,
    POLICY,
    RESTARTING,
    State,
    is_violation,
)
from channels.server.interfaces import Exchange, Link
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.keepalive import Keepalive, Verdict
from channels.server.reports.protocol_facts import count_facts
from channels.server.reports.targets import path_of, shown
from channels.server.runtime import Runtime
from channels.typing import Message

# Members of an enum are slow to come by.
_CONNECTING, _DENYING, _OPEN, _CLOSING, _OVER = State


class WebSocketStream(WebSocketReadingHalf):
    """A WebSocket and the run of the application behind it. Also the Handler of its connection.

    Args:
        request: the opening request.
        handshake: what it asks for.
        runtime: what the process shares.
        exchange: answers the opening request.
        link: carries the bytes once it is open.
    """

    __slots__ = ("_behind_close", "_due", "_opening", "_request")

    def __init__(
        self, request: RequestReceived, handshake: Handshake, runtime: Runtime, exchange: Exchange, link: Link
    ) -> None:
        # A WebSocket keeps its headers for as long as it lives: what others have said too is kept once.
        if request.handshake is None:  # else it shares them already
            request.headers = [shared_fields[field] for field in request.headers]
        scope = new_scope(request, runtime, exchange, self, handshake.subprotocols)
        super().__init__(runtime, f"WebSocket {path_of(request.target)}", scope, link)
        self._state = _CONNECTING
        self._opening: PendingHandshake | None = PendingHandshake(handshake, runtime, exchange)
        self._due = NEVER
        self._behind_close = 0
        runtime.websockets += 1
        #: For the access log.
        config = runtime.config
        self._request = request if config.action_logger is not None else None
        if self._request is not None:
            self._log(self._request, "connecting")
        self._expect_within(config.websocket_connect_timeout)

    # From the connection, once it is open

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
    def unanswered(self) -> bool:
        """Whether the application has neither accepted nor refused the handshake yet."""
        return self._state is _CONNECTING

    def stop(self) -> None:
        """The server stops: refuse, or close with 1012 (Service Restart)."""
        if self._state is _CONNECTING:
            self.fail(503, "The server is stopping.")
        else:
            self.end(RESTARTING, "The server restarts")

    def end(self, code: int, reason: str) -> bool:
        """Close an open WebSocket in its application's place; returns False if it is not open."""
        if self._state is not _OPEN:
            return False
        self._close(code, reason)
        return True

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

    # What follows from what the peer says

    def _refuse_more(self, reason: str) -> None:
        """Close and parse no more frames: those behind our close cost as much as those before it."""
        if self._state is _OPEN:
            self._protocol.close(POLICY, reason)
            self._state = _CLOSING
            self._hold()
            self._write()
            self._over(POLICY, reason)
        else:
            self._over(LOST)
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

    # Messages of the application

    async def send(self, message: Message) -> None:
        """Take a message of the application; waits while the peer does not read.

        Raises:
            ValueError: it is out of turn, of an unknown type, or cannot be sent.
            TypeError: it holds something of the wrong type.
            OSError: the WebSocket is closed already; consumers count that and go on.
        """
        kind, link = message.get("type", ""), self._link
        # What most messages are; one with "bytes" has more keys (row "echo").
        if kind == "websocket.send" and self._state is _OPEN and len(message) == 2:
            text, protocol = message.get("text"), self._protocol
            if type(text) is str:
                link.write(text_frame(text) if protocol.plain else protocol.message_to_send(text))
            else:
                self._send(message)
        else:
            self._step(kind, message)
        if link.congested and self._state is _OPEN:
            if link.unsent > self.runtime.config.write_limit:
                link.cut("bytes")
            await link.wait_writable()

    def _step(self, kind: str, message: Message) -> None:
        action = _SEND[self._state].get(kind)
        if action is None:
            allowed = ", ".join(sorted(_SEND[self._state]))
            state = self._state.name.lower()
            raise ValueError(
                f"Cannot handle message type {kind}! A WebSocket that is {state} takes: {allowed}."
            )
        action(self, message)

    def write_broadcast(self, broadcast: Broadcast) -> bool:
        """Write messages for many sockets at once; see :data:`channels.core.broadcast.FastlaneWrite`."""
        if self._state is not _OPEN or self._link.congested:
            return False
        frames = frames_of(broadcast, self._protocol.compression)
        if frames is not None:
            self._link.write_now(frames)
        return frames is not None

    def _accept(self, message: Message) -> None:
        opening = self._opening
        assert opening is not None  # it is, in this state
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
        if telemetry.listeners:
            telemetry.emit("server.handshake_finished", result="accepted")

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
        for payload in payloads(message):
            self._link.write(self._protocol.message_to_send(payload))
        if self._protocol.facts:
            count_facts(self._protocol)

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

    # The end

    def _over(self, code: int, reason: str = "") -> None:
        """Tell the application, after all that it has not taken yet."""
        was, self._state = self._state, _OVER
        if was is _OVER:
            return
        opening, self._opening = self._opening, None
        if telemetry.listeners and was <= _DENYING:
            telemetry.emit("server.handshake_finished", result=_result(opening))
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


def _result(opening: PendingHandshake | None) -> str:
    """Name what became of a handshake that was not accepted."""
    status = 0 if opening is None else opening.status
    if not status:
        return "left"  # by its client
    return "refused" if status < 500 else "failed"


_Action = Callable[[WebSocketStream, Message], None]
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
