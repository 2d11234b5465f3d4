"""One connection to one Redis server, shared by everybody in the loop.

Commands are written as they come, all of one turn of the loop in one system call, and the
replies are matched to them in order: no pool, no lock, no connection of one's own. What is
not answered in time ends the connection, so that nobody waits for a server that hangs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from channels.layers.redis.connect.errors import UNREACHABLE

#: Commands that may wait for their replies; more would only wait longer.
MAX_PENDING: Final = 50_000


class PipelinedConnection:
    """A connection with its reader.

    Args:
        connection: a connected one of redis-py; this one closes it.
        timeout: seconds until a command without a reply ends the connection.
        on_lost: called once, in the loop, with the reason, when the connection has ended.
            The reason is a CancelledError if the loop itself is being ended.
    """

    def __init__(
        self,
        connection: Connection,
        timeout: float,
        on_lost: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.lost: BaseException | None = None
        self._connection = connection
        self._plain = type(connection).pack_command is Connection.pack_command
        self._timeout = timeout
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._pending: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._reader = self._loop.create_task(self._read())
        self._reader.add_done_callback(self._read_no_more)

    def execute(self, *args: Any) -> asyncio.Future[Any]:
        """Send one command; the future holds its reply, or what went wrong.

        The command is in its place in the order when this returns.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self.lost is None and len(self._pending) < MAX_PENDING:
            self._pending.append((self._loop.time() + self._timeout, future))
            self._arm()
            self.write(*args)
        else:
            error = self.lost or ConnectionError(f"{MAX_PENDING} commands wait for their replies already.")
            future.set_exception(_as_connection_error(error))
        return future

    def write(self, *args: Any) -> None:
        """Send a command whose reply nobody waits for here."""
        if self._plain and len(args) == 3 and type(args[1]) is bytes and type(args[2]) is bytes:
            self._out.append(_pack(args[0].encode(), args[1], args[2]))
        else:
            self._out.extend(self._connection.pack_command(*args))
        if self._writer is None and self.lost is None:
            self._writer = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._out and self.lost is None:
                out, self._out = self._out, []
                await self._connection.send_packed_command(out, check_health=False)
        except UNREACHABLE as error:
            self.fail(error)
        finally:
            self._writer = None

    async def _read(self) -> None:
        read = self._connection.read_response
        try:
            while True:
                try:
                    reply = await read(disable_decoding=True, disconnect_on_error=False)
                except ResponseError as error:
                    reply = error
                self.received(reply)
        except (asyncio.CancelledError, *UNREACHABLE) as error:
            self.fail(error)
        await self._connection.disconnect(nowait=True)

    def _read_no_more(self, reader: asyncio.Task[None]) -> None:
        """End the connection if its reader ended otherwise than it should, so that nobody waits for it."""
        self.fail(asyncio.CancelledError() if reader.cancelled() else reader.exception() or EOFError())
        if self._connection.is_connected:  # it was cancelled before it began to read
            self._closing = self._loop.create_task(self._connection.disconnect(nowait=True))

    def received(self, reply: Any) -> None:
        """Hand a reply to the oldest command without one."""
        _, future = self._pending.popleft()
        if isinstance(reply, ReadOnlyError):  # a master that was demoted: find the new one
            reply = ConnectionError(f"This server takes no writes any more: {reply}")
            self.fail(reply)
        if future.done():
            return
        if isinstance(reply, BaseException):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_at(self._pending[0][0], self._check)

    def _check(self) -> None:
        self._timer = None
        if not self._pending:
            return
        if self._pending[0][0] <= self._loop.time():
            self.fail(RedisTimeoutError(f"No reply within {self._timeout:g} seconds."))
        else:
            self._arm()

    def fail(self, reason: BaseException) -> None:
        """End the connection; whoever waits for a reply gets ``reason``."""
        if self.lost is not None:
            return
        self.lost = reason
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._pending:
            _, future = self._pending.popleft()
            if not future.done():
                future.set_exception(_as_connection_error(reason))
                future.exception()  # it may be that nobody waits any more
        self._reader.cancel()
        if self._on_lost is not None:
            self._on_lost(reason)

    async def aclose(self) -> None:
        """End the connection and wait until its connection is closed."""
        self._on_lost = None
        self.fail(ConnectionError("The layer was closed."))
        tasks = [task for task in (self._reader, self._writer) if task is not None]
        await asyncio.wait(tasks, timeout=self._timeout)


class SubscriptionConnection(PipelinedConnection):
    """A connection in subscribed mode: messages and confirmations come as they like.

    A ping is sent when nothing has come for ``timeout`` seconds; unanswered, it ends the connection.

    Args:
        connection: see :class:`PipelinedConnection`.
        timeout: see :class:`PipelinedConnection`.
        on_message: called with topic and data of each message.
        on_change: called with topic and either True (subscribed), False (not any more) or
            the error that refused it.
        on_lost: see :class:`PipelinedConnection`.
        sharded: whether topics are those of sharded publish/subscribe.
    """

    def __init__(
        self,
        connection: Connection,
        timeout: float,
        on_message: Callable[[bytes, bytes], None],
        on_change: Callable[[bytes, bool | ResponseError], None],
        on_lost: Callable[[BaseException], None],
        sharded: bool,
    ) -> None:
        super().__init__(connection, timeout, on_lost)
        self._on_message = on_message
        self._on_change = on_change
        self._prefix = "S" if sharded else ""
        self._asked: deque[bytes] = deque()
        self._heard = True
        self._pinged = False
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._ping_timer = self._loop.call_later(timeout, self._ping_if_silent)

    def subscribe(self, topic: bytes) -> None:
        """Ask for the messages of ``topic``; ``on_change`` tells when they come."""
        self._asked.append(topic)
        self.write(f"{self._prefix}SUBSCRIBE", topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Ask for no more messages of ``topic``."""
        self._asked.append(topic)
        self.write(f"{self._prefix}UNSUBSCRIBE", topic)

    async def caught_up(self) -> None:
        """Return when all that was published before this call was handed on, or the connection is lost."""
        pong: asyncio.Future[None] = self._loop.create_future()
        if self.lost is None:
            self._pongs.append(pong)
            self.write("PING")
            await pong

    def received(self, reply: Any) -> None:
        """Hand on a message or a confirmation."""
        self._heard = True
        if isinstance(reply, ResponseError):
            if self._asked:
                self._on_change(self._asked.popleft(), reply)
            return
        kind = reply[0]
        if kind in (b"message", b"smessage"):
            self._on_message(reply[1], reply[2])
        elif kind == b"pong":
            _resolve(self._pongs.popleft())
        else:
            topic = reply[1]
            if self._asked and self._asked[0] == topic:
                self._asked.popleft()
            self._on_change(topic, kind.endswith(b"subscribe") and b"unsub" not in kind)

    def _ping_if_silent(self) -> None:
        if self.lost is not None:
            return
        if self._pinged and not self._heard:
            self.fail(RedisTimeoutError(f"Nothing was heard for {2 * self._timeout:g} seconds."))
            return
        self._pinged = not self._heard
        if self._pinged:
            self._pongs.append(None)
            self.write("PING")
        self._heard = False
        self._ping_timer = self._loop.call_later(self._timeout, self._ping_if_silent)

    def fail(self, reason: BaseException) -> None:
        """See :meth:`PipelinedConnection.fail`."""
        self._ping_timer.cancel()
        super().fail(reason)
        while self._pongs:
            _resolve(self._pongs.popleft())


def _pack(name: bytes, first: bytes, second: bytes) -> bytes:
    """Return a command as redis-py does, which takes ten times as long: 8 % of a ``group_send``."""
    parts = (len(name), name, len(first), first, len(second), second)
    return b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % parts


def _resolve(pong: asyncio.Future[None] | None) -> None:
    if pong is not None and not pong.done():
        pong.set_result(None)


def _as_connection_error(reason: BaseException) -> BaseException:
    if isinstance(reason, UNREACHABLE):
        return reason
    return ConnectionError("The event loop of the connection has ended.")
