"""One TCP connection: from its accept over the bytes both ways to its end.

It is a machine of three states. The bytes are the application's to understand.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.server.asgi.stream import ClientDisconnected, Stream, logger, named
from channels.server.asgi.tcp.inbox import TCPInbox
from channels.server.interfaces import Link
from channels.server.io.timer_wheel import NEVER
from channels.server.runtime import Runtime
from channels.typing import PUSH_EXTENSION, Message, Scope

_ASGI = {"version": "3.0", "spec_version": "1.0"}


class State(enum.IntEnum):
    """How far a TCP connection has come."""

    CONNECTING = 0  #: the application has neither accepted nor closed it
    OPEN = 1
    OVER = 2  #: closed, by whichever side


# Members of an enum are slow to come by.
_CONNECTING, _OPEN, _OVER = State


def tcp_scope(
    path: str,
    client: list[Any] | None,
    server: list[Any] | None,
    tls: dict[str, Any] | None,
    state: dict[str, Any] | None,
) -> Scope:
    """Return the scope of a connection.

    Args:
        path: of the endpoint: its ``app``, with a slash before it.
        client: the peer as [host, port]; None on a Unix socket.
        server: where it connected to.
        tls: ASGI's ``tls`` extension; None in clear text.
        state: what lifespan startup left; None without lifespan.
    """
    scope: dict[str, Any] = {
        "type": "tcp",
        "asgi": _ASGI,
        "path": path,
        "client": client,
        "server": server,
        "extensions": {} if tls is None else {"tls": tls},
    }
    if state is not None:
        scope["state"] = state.copy()
    return scope


class TCPStream(Stream):
    """A TCP connection and the run of the application behind it. Also the Handler of its connection.

    Args:
        runtime: what the process shares.
        link: carries the bytes.
        scope: of the connection, see :func:`tcp_scope`.

    Attributes:
        bytes_received, bytes_sent: so far, after and before TLS.
        held: the connection is not read, because the application is behind.
    """

    __slots__ = (
        "_alive_at",
        "_close_at",
        "_half_closed",
        "_idle_limit",
        "_inbox",
        "_link",
        "_path",
        "_started_at",
        "_state",
        "_tls",
        "bytes_received",
        "bytes_sent",
        "held",
    )

    def __init__(self, runtime: Runtime, link: Link, scope: Scope) -> None:
        self._tls = "tls" in scope["extensions"]
        scope["extensions"][PUSH_EXTENSION] = self
        super().__init__(runtime, sys.intern(f"TCP {scope['path']}"), scope, link)
        config = runtime.config
        self._link = link
        self._path: str = scope["path"]
        self._inbox = TCPInbox(config.tcp_buffer_size)
        self._state = _CONNECTING
        self._idle_limit = config.tcp_idle_timeout
        #: When an application that says nothing, or to which the server has said that it stops, is closed.
        self._close_at = NEVER
        self.bytes_received = self.bytes_sent = 0
        self._started_at = self._alive_at = runtime.timers.now
        self.held = self._half_closed = False
        runtime.tcp_connections += 1
        self._close_within(config.tcp_accept_timeout)

    @property
    def is_open(self) -> bool:
        """Whether it was accepted and nobody has closed it yet."""
        return self._state is _OPEN

    # From the connection

    def data_received(self, data: bytes) -> None:
        """Keep what the peer sent for the application."""
        self._alive_at = self.runtime.timers.now
        self.bytes_received += len(data)
        if self._inbox.put(data) and not self.held:
            self.held = True
            self._link.pause_reading()
        self.runtime.rounds.announce(self.announce)

    def read_on(self) -> None:
        """Nothing waits to be parsed: bytes are kept as they come."""

    def eof_received(self) -> bool:
        """The peer sends nothing more. Returns whether it can still be sent to, which TLS does not allow."""
        if self._tls or self._state is _OVER:
            self._over("eof")
            return False
        self._half_closed = True
        self._inbox.put_eof()
        if self.held:
            self.expect_progress()  # it may have closed both ways, which only a write would show
        self.announce()
        return True

    def peer_closed(self) -> None:
        """The peer has closed behind more than is read ahead: the application has to go on with it."""
        self.expect_progress()

    def connection_lost(self) -> None:
        """The connection is gone: tell the application."""
        self._over("lost")

    def stop(self) -> None:
        """The server stops: the application may say so to its peer, and has a while to close."""
        if self._state is _OVER:
            return
        seconds = self.runtime.config.tcp_drain_timeout
        self._close_within(seconds)
        self._inbox.put_drain(seconds)
        self.announce()

    # For the application

    def receive_nowait(self) -> Message | None:
        """Take the oldest event; None if there is none, and for ever after the disconnect."""
        message = self._inbox.take()
        if self.held and message is not None and message["type"] == "tcp.receive":
            self.held = False
            self._alive_at = self.runtime.timers.now  # it was we who did not listen
            if self._state is not _OVER:
                self._leave_by = NEVER  # it has taken all there was
            self._link.resume_reading()
        return message

    async def send(self, message: Message) -> None:
        """Take a message of the application; waits while the peer does not read.

        Raises:
            ValueError: it is out of turn, or of an unknown type.
            TypeError: its data are no bytes.
            OSError: the connection is closed already.
        """
        kind = message.get("type", "")
        action = _SEND[self._state].get(kind)
        if action is None:
            allowed = ", ".join(sorted(_SEND[self._state]))
            state = self._state.name.lower()
            raise ValueError(
                f"Cannot handle message type {kind}! A TCP connection that is {state} takes: {allowed}."
            )
        action(self, message)
        link = self._link
        if link.congested and self._state is _OPEN:
            if link.unsent > self.runtime.config.write_limit:
                link.cut("bytes")
            await link.wait_writable()

    def write_nowait(self, data: bytes) -> bool:
        """Send bytes as ``tcp.send`` does; False, and nothing is sent, if that would wait or raise."""
        if self._state is not _OPEN or self._link.congested:
            return False
        self._alive_at = self.runtime.timers.now
        self.bytes_sent += len(data)
        self._link.write(data)
        return True

    def _accept(self, message: Message) -> None:
        limit = message.get("idle_timeout", -1)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
            raise TypeError(f"'idle_timeout' of tcp.accept is a number of seconds or None, got {limit!r}.")
        if limit is None or limit >= 0:
            self._idle_limit = limit
        self._state = _OPEN
        self._alive_at = self.runtime.timers.now
        self._close_at = NEVER
        self._log("connected")
        self._watch_idle()

    def _send(self, message: Message) -> None:
        data = message.get("data")
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"'data' of tcp.send must be bytes, got {type(data).__name__}.")
        self._alive_at = self.runtime.timers.now
        self.bytes_sent += len(data)
        self._link.write(bytes(data))

    def _close_by_application(self, message: Message) -> None:
        self._inbox.clear()
        self._close("refused" if self._state is _CONNECTING else "closed")

    def _close(self, reason: str) -> None:
        """Send what is collected, close, and tell the application that it is over."""
        # Bytes that we do not read would make the kernel answer with a reset, which can overtake our last.
        self._link.close(linger=not self._half_closed)
        self._over(reason)

    def _too_late(self, message: Message) -> None:
        self.late(message)
        raise ClientDisconnected(f"{message['type']} reaches nobody: the TCP connection is closed.")

    # The end

    def _over(self, reason: str) -> None:
        """Tell the application, after all that it has not taken yet."""
        was, self._state = self._state, _OVER
        if was is _OVER:
            return
        self._close_at = NEVER
        self._log("rejected" if was is _CONNECTING else "disconnected", reason)
        self._inbox.finish(reason)
        if self.task is not None:
            self.expect_return()
            self.announce()

    def application_failed(self) -> None:
        """The application raised: close."""
        self._inbox.clear()
        if self._state is not _OVER:
            self._close("failed")

    def application_returned(self) -> None:
        """The application returned: close; without a word about a new connection that is a mistake."""
        if self._state is _CONNECTING:
            logger.error("The application returned without tcp.accept or tcp.close: %s", self.label)
        self.application_failed()

    def _ended(self) -> None:
        if self.runtime.meter is not None:
            self.runtime.meter.add_bytes(self.bytes_received, self.bytes_sent)
        super()._ended()

    # Time

    def _close_within(self, limit: float | None) -> None:
        self._close_at = NEVER if limit is None else self.runtime.timers.now + limit
        self.runtime.timers.schedule(self, self._close_at)

    def _watch_idle(self) -> None:
        self.runtime.timers.schedule(self, self._idle_due)

    @property
    def _idle_due(self) -> float:
        """When a connection is closed on which nobody says anything; sooner if nothing ever came."""
        limit = self._idle_limit
        idle = NEVER if limit is None else self._alive_at + limit
        first = self.runtime.config.tcp_first_byte_timeout
        if self.bytes_received or first is None:
            return idle
        return min(idle, self._started_at + first)

    def on_due(self, now: float) -> float:
        """Carry out the time limit of the present state, if it is up."""
        if self._state is _OVER:
            return super().on_due(now)
        if now >= self._leave_by:
            return super().on_due(now)
        if now >= self._close_at:
            self._close_is_due()
        elif self._state is _OPEN and not self.held and now >= self._idle_due:
            self._end_idle("idle" if self.bytes_received else "silent")
        if self._state is _OVER:
            return self._leave_by
        idle = NEVER if self._state is _CONNECTING else self._idle_due
        return min(self._close_at, self._leave_by, max(idle, now))

    def _close_is_due(self) -> None:
        if self._state is _OPEN:
            telemetry.count("server.tcp_drained", label=self.label)
            self._close("drain")
            return
        telemetry.count("server.tcp_unanswered", label=self.label)
        logger.warning(
            "%s was closed: the application neither accepted nor closed it within %s s. Accept sooner, or "
            "raise --tcp-accept-timeout.",
            self.label,
            self.runtime.config.tcp_accept_timeout,
        )
        self._close("refused")

    def _end_idle(self, reason: str) -> None:
        telemetry.count("server.tcp_idle", reason=reason, label=self.label)
        self._close(reason)

    # The access log

    def _log(self, action: str, reason: str = "") -> None:
        if self.runtime.config.action_logger is not None:
            self.runtime.log("tcp", action, lambda: self._details(reason))

    def _details(self, reason: str) -> dict[str, Any]:
        about = {"client": named(self._client), "path": self._path}
        if not reason:
            return about
        taken = round(self.runtime.loop.time() - self._started_at, 6)
        counts = {"received": self.bytes_received, "size": self.bytes_sent, "time_taken": max(0.0, taken)}
        return {**about, **counts, "reason": reason}


_Action = Callable[[TCPStream, Message], None]
#: What an application may send in which state, and who takes it.
_SEND: dict[int, dict[str, _Action]] = {
    _CONNECTING: {"tcp.accept": TCPStream._accept, "tcp.close": TCPStream._close_by_application},
    _OPEN: {"tcp.send": TCPStream._send, "tcp.close": TCPStream._close_by_application},
    _OVER: {
        "tcp.accept": TCPStream._too_late,
        "tcp.send": TCPStream._too_late,
        "tcp.close": TCPStream.late,
    },
}
