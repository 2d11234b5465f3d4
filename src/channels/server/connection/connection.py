"""One TCP (or Unix) connection: the asyncio shell around whatever protocol it speaks.

It collects what is written in one turn of the loop into one write, tells senders to
wait while the peer does not read, cuts a peer that never does, and closes without
destroying what is still under way.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar

from channels import telemetry
from channels.server.connection.http1 import HTTP1Handler
from channels.server.connection.http2 import HTTP2Handler
from channels.server.connection.interfaces import AddressPair
from channels.server.connection.protocol_sniffer import ProtocolSniffer
from channels.server.connection.proxy_protocol import ProxyHeaderHandler
from channels.server.connection.reading import ReadingHalf
from channels.server.endpoints.endpoints import Address, address_pair, known
from channels.server.endpoints.tls import Credentials
from channels.server.interfaces import Handler
from channels.server.io.send_progress import SendProgress
from channels.server.io.sendfile import FilePart
from channels.server.io.timer_wheel import NEVER, Slot
from channels.server.io.waiters import Waiters
from channels.server.limits.turns import FULL_READ
from channels.server.runtime import Runtime

#: Seconds that a half-closed connection may take to be closed by the peer as well.
LINGER = 2.0
#: How much of a file the kernel copies before others have their turn, in bytes.
_FILE_TURN = 524_288
#: For a connection too many (RFC 9110 15.6.4); whoever connects again at once is refused again.
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\nToo many connections."
)


class Connection(ReadingHalf, asyncio.Protocol):
    """The shell of one connection: its ``handler`` understands the bytes; see :class:`Handler`.

    Args:
        runtime: what the process shares.
        credentials: what its TLS was set up with; None for clear text.

    Attributes:
        client: the peer as [host, port]; None on a Unix socket.
        server: where the peer connected to.
        tls: ASGI's ``tls`` extension; None on a connection in clear text.
        congested: more waits to be written than the write buffer's size.
    """

    #: What a connection too many is told before it is closed.
    too_many: ClassVar[bytes] = _TOO_MANY

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_admitted",
        "_close_by",
        "_credentials",
        "_is_lost",
        "_progress",
        "_proxied",
        "_stalled_at",
        "_waiters",
        "client",
        "congested",
        "server",
        "slot",
        "tls",
    )

    def __init__(self, runtime: Runtime, credentials: Credentials | None = None) -> None:
        self.runtime = runtime
        self.tls: dict[str, Any] | None = None
        self._credentials = credentials
        self._proxied: AddressPair | None = None
        self._admitted = credentials is not None  # with TLS, whoever accepted it has judged it
        self.client: Address | None = None
        self.server: Address | None = None
        self.congested = self.closing = self._is_lost = False
        self._abandoned = self._ahead = 0
        self.slot: Slot | None = None
        self.handler: Handler
        self._transport: asyncio.Transport
        self._end_of_turn = runtime.end_of_turn
        self._out = b""
        self._behind = None
        self._paused = self._resting = self._eof = self.finished = False
        self._reading = True
        self._close_by = self._stalled_at = NEVER
        self._progress: SendProgress
        self._waiters: Waiters | None = None

    def set_proxied(self, addresses: AddressPair | None) -> None:
        """Take the addresses that a proxy has named in front of TLS, before ``connection_made``."""
        self._proxied = addresses

    # What asyncio tells us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak HTTP/1.1."""
        runtime, self._transport = self.runtime, transport  # type: ignore[assignment]  # it can write, too
        self._transport.set_write_buffer_limits(high=runtime.config.write_buffer_size)
        self.client = address_pair(transport.get_extra_info("peername"))
        self.server = address_pair(known(transport.get_extra_info("sockname")))
        runtime.arriving.discard(self)
        runtime.connections.add(self)
        runtime.accepted += 1
        if self._credentials is not None:
            self.tls = self._credentials.extension(transport.get_extra_info("ssl_object"))
            if self._proxied is not None:
                self.client, self.server = self._proxied
        if runtime.config.proxy_protocol and self._credentials is None:
            self.handler = ProxyHeaderHandler(self)
        else:
            self._begin()

    def _begin(self) -> None:
        """Choose the protocol now that the client is known, and refuse a connection too many."""
        self.handler = self._first_handler()
        if self._admitted:
            return
        host = None if self.client is None else self.client[0]
        sock = self._transport.get_extra_info("socket")  # None if it has closed already
        refusal = self.runtime.refusal_of(host, -1 if sock is None else sock.fileno())
        if refusal is None:
            self._admitted = True
        elif refusal == "descriptors":
            self.abort()  # there is none left to linger with
        else:
            self.write_now(self.too_many)
            self.close(linger=True)

    def speak_for(self, addresses: AddressPair | None, ahead: bytes) -> None:
        """Take the client that a proxy has named, and begin.

        Args:
            addresses: the client, and where it connected to; None: the proxy itself.
            ahead: what came behind the proxy's header.
        """
        if addresses is not None:
            self.client, self.server = addresses
        self._begin()
        if ahead:
            self.data_received(ahead)

    def switch_handler(self, handler: Handler, ahead: bytes) -> None:
        """Let another handler understand the bytes from now on.

        Args:
            handler: the protocol that both sides have agreed on.
            ahead: what the peer has sent of it already; b"" for nothing.
        """
        self.handler = handler
        if ahead:
            handler.data_received(ahead)

    def _first_handler(self) -> Handler:
        """Return the handler for the protocol of ALPN, or one that waits for the first bytes."""
        if not self.runtime.config.http2:
            return HTTP1Handler(self)
        if self.tls is None:
            return ProtocolSniffer(self, HTTP1Handler(self))
        agreed = self._transport.get_extra_info("ssl_object").selected_alpn_protocol()
        return HTTP2Handler(self) if agreed == "h2" else HTTP1Handler(self)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on; what comes after our close is read and thrown away."""
        if self._paused:
            self._count_ahead(len(data))
        if not self.closing:
            self.handler.data_received(data)
        if len(data) >= FULL_READ:
            self.read_later()

    def eof_received(self) -> bool:
        """Ask the handler whether it still has something to say; else what it has said has a time limit."""
        self._eof = self.finished = True
        if not self.closing and self.handler.eof_received():
            return True
        self.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything, so that nothing outlives the socket."""
        self.closing, runtime = True, self.runtime
        if self._admitted and self.client is not None:
            runtime.admission.leave(self.client[0])
            if self._abandoned:
                runtime.admission.abandoned(self.client[0], self._abandoned)
        self._is_lost = True
        self.discard_output()
        runtime.timers.cancel(self)
        runtime.connections.discard(self)
        if self._paused or self._eof:  # else nobody has asked the kernel about it
            self._forget_ahead()
        if self.congested or self._waiters is not None:
            self.resume_writing()
        self.handler.connection_lost()
        del self.handler
        runtime.left()

    def pause_writing(self) -> None:
        """The write buffer is over its size: senders wait from now on, but not forever."""
        self.congested = True
        self._watch_progress()

    def resume_writing(self) -> None:
        """The peer has read: senders go on."""
        self.congested = False
        self._stalled_at = NEVER
        if self._waiters is not None:
            self._waiters.wake()

    # What handlers and streams ask for

    async def wait_writable(self) -> None:
        """Wait until the peer has read enough, or is gone."""
        while self.congested:
            await self._changed().wait()

    def _changed(self) -> Waiters:
        """Return those who wait for the peer to read, or for the end of the connection."""
        if self._waiters is None:
            self._waiters = Waiters()
        return self._waiters

    async def send_file(self, part: FilePart) -> None:
        """Have the kernel copy a part of a file to the socket; returns early if the connection ends.

        Raises:
            OSError: the file cannot be read, or has become shorter.
        """
        self.flush()
        await self._wait_written()
        if self.closing:
            return
        # A number of its own: the loop lets nobody wait for one that belongs to a transport.
        fileno = os.dup(self._transport.get_extra_info("socket").fileno())
        try:
            while part.count and not self.closing:
                try:
                    part.advance(os.sendfile(fileno, part.fileno, part.offset, min(part.count, _FILE_TURN)))
                    await asyncio.sleep(0)
                except BlockingIOError:
                    await self._wait_sendable(fileno)
        except (BrokenPipeError, ConnectionResetError):
            self.abort()
        finally:
            os.close(fileno)

    async def _wait_written(self) -> None:
        """Wait until nothing that was written waits in the transport."""
        self._transport.set_write_buffer_limits(high=0)
        await self.wait_writable()
        if not self.closing:
            self._transport.set_write_buffer_limits(high=self.runtime.config.write_buffer_size)

    async def _wait_sendable(self, fileno: int) -> None:
        """Wait until the kernel takes more, or the connection is gone."""
        loop, waiters = self.runtime.loop, self._changed()
        loop.add_writer(fileno, waiters.wake)
        try:
            async with asyncio.timeout(self.runtime.config.write_timeout):
                await waiters.wait()
        except TimeoutError:
            self.cut("timeout")
        finally:
            loop.remove_writer(fileno)

    def abandoned(self, runs: int) -> None:
        """Count runs that go on although their peer has left: they have the connection's place after it."""
        self._abandoned += runs
        if self._is_lost and self.client is not None:
            self.runtime.admission.abandoned(self.client[0], runs)

    def close(self, *, linger: bool = False) -> None:
        """Send what is collected, then close.

        Args:
            linger: the peer may still be sending. Closing now would make the kernel
                answer with a reset, which can overtake what we sent; so close our half,
                and read and forget the rest for a moment (RFC 9112 section 9.6).
        """
        if self.closing:
            return
        self.flush()
        self.closing = True
        self._stalled_at = NEVER
        if linger and self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()  # the peer is gone, and the loop has not noticed yet
            self.resume_reading()
        else:
            self._transport.close()
        self._watch_close()

    def abort(self) -> None:
        """Close at once; what waits to be written is lost."""
        self.closing = True
        self._transport.abort()

    def stop(self) -> None:
        """The server stops; see :meth:`Handler.stop`."""
        if not self.closing:
            self.handler.stop()

    # Time

    def on_due(self, now: float) -> float:
        """Cut a peer that does not close, or does not read."""
        if now >= self._close_by:
            return self._close_is_due()
        if now >= self._stalled_at:
            if self._is_stalled(self._look()):
                self.cut("timeout")
                return NEVER
            self._watch_progress()
        return min(self._close_by, self._stalled_at)

    def _watch_close(self) -> None:
        """Look again when the peer has had time to read more, or, with nothing left to read, to close."""
        limit = self.runtime.config.write_timeout
        self._progress = self._look()
        if not self._progress.left or limit is None:
            limit = LINGER if limit is None else min(LINGER, limit)
        self._close_by = self.runtime.timers.now + limit
        self.runtime.timers.schedule(self, self._close_by)

    def _close_is_due(self) -> float:
        """Cut a peer that reads nothing more; one that reads gets all that was sent before the close."""
        unlimited, now = self.runtime.config.write_timeout is None, self._look()
        if now.left:
            if not unlimited and self._is_stalled(now):
                self.cut("timeout")
                return NEVER
        elif not now.since(self._progress):
            self.abort()
            return NEVER
        self._watch_close()
        return self._close_by

    def cut(self, reason: str) -> None:
        """End the connection of a peer that reads too slowly."""
        telemetry.count("server.slow_reader", reason=reason, client=self.client)
        self.abort()

    def _look(self) -> SendProgress:
        return SendProgress(self._transport, tls=self._credentials is not None)

    def _is_stalled(self, now: SendProgress) -> bool:
        """Judge progress since the last look; a trickle of single bytes is none."""
        return now.since(self._progress) < self.runtime.config.write_buffer_size // 4

    def _watch_progress(self) -> None:
        limit = self.runtime.config.write_timeout
        if limit is not None:
            self._progress = self._look()
            self._stalled_at = self.runtime.timers.now + limit
            self.runtime.timers.schedule(self, self._stalled_at)
