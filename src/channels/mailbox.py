"""The mailbox loop: how a consumer gets its messages, one at a time and in order.

A consumer waits on one :class:`Mailbox`. Its sources (the server's connection, the
channel layer) keep what has arrived and wake the mailbox; nothing is taken from a source
before the consumer is ready for it, so whatever ends the consumer loses no message that
was already taken, and no task has to be created for a message.

A server or a layer that cannot push is read by a :class:`ReceiveTask`: one task for the life of
the consumer, one message ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from channels.core.bounded_cache import BoundedCache
from channels.core.broadcast import BROADCAST_TYPE, Broadcast, FastlaneWrite
from channels.exceptions import ConsumerSignal
from channels.sync.context import leave_thread, pool
from channels.typing import PUSH_EXTENSION, TASKS_CREATED, EventSource, Message, Receive, Scope, Send, Wakeup

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

#: Messages handled in a row before other tasks of the loop get their turn.
BATCH: Final = 32

#: Of a loop that does not count its tasks. Not even equal to itself: as if there were a new one each time.
_UNCOUNTED: Final = [math.nan]

#: Where a scope has the source of :class:`AuthChanged` messages, if there is one.
ACCESS_SOURCE: Final = "channels.access"

Handler = TypeVar("Handler", bound=Callable[..., Any])

#: Message types after which the peer is gone and the server will send nothing more.
LAST_MESSAGES: Final = frozenset({"websocket.disconnect", "http.disconnect", "tcp.disconnect"})


def get_handler_name(message: Message) -> str:
    """Return the name of the method that handles ``message``: its type, dots as underscores.

    Raises:
        ValueError: the message has no type, or one that begins with an underscore or a dot
            (methods with such names are private).
    """
    try:
        return handler_names[message["type"]]
    except KeyError:
        raise ValueError(
            f"Incoming message has no 'type' attribute, only {sorted(map(str, message))}."
        ) from None


def _handler_name(kind: object) -> str:
    handler_name = str(kind).replace(".", "_")
    if handler_name.startswith("_"):
        raise ValueError(f"Malformed type in message (leading underscore): {kind!r}.")
    return handler_name


#: The names of handlers by the types of messages; making one raises ValueError for a private name.
handler_names: BoundedCache[Any, str] = BoundedCache("mailbox.handler_names", 1024, _handler_name)


class _NoSource:
    """An EventSource that never has anything."""

    def receive_nowait(self) -> Message | None:
        return None

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        pass


_NO_SOURCE: Final = _NoSource()


class AuthChanged(dict[str, Any]):
    """The message which says that the user of a connection may have lost the right to it.

    Its type is ``auth.changed``; a message of a layer with this type is another one.

    Args:
        reason: a :class:`~channels.access.credentials.Reason`, as text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(type="auth.changed", reason=reason)


class Mailbox:
    """Where one consumer waits for the messages of all its sources.

    Sources take turns, so that a flood from one does not hold up the other. The first is the server, from
    which most messages come: the others are looked at only after they have called.

    Attributes:
        peer_gone: whether the message that says so has been taken.
        direct: writes to the consumer's socket, past the consumer; None if that is not possible.
        failed: the message whose handler raised.
    """

    __slots__ = ("_first", "_others_have", "_sources", "_waiter", "_wakeup", "direct", "failed", "peer_gone")

    def __init__(self) -> None:
        self.direct: FastlaneWrite | None = None
        self._first: EventSource = _NO_SOURCE
        self._sources: tuple[EventSource, ...] = ()
        #: Whether sources beside the first may have something.
        self._others_have = False
        self._waiter: asyncio.Future[None] | None = None
        self._wakeup: Wakeup | None = None
        self.failed: Message | None = None
        self.peer_gone = False

    def add(self, source: EventSource, direct: FastlaneWrite | None = None) -> None:
        """Take messages from ``source`` too; ``direct`` is how it writes broadcasts, if it can."""
        self.direct = self.direct or direct
        if not self._sources:
            self._first = source
            source.set_wakeup(self.wake)
        else:
            self._others_have = True  # perhaps: what waits already is not announced
            self._wakeup = self._wakeup or self._wake_for_others  # one for all of them, until close
            source.set_wakeup(self._wakeup)
        self._sources = (*self._sources, source)

    def wake(self) -> None:
        """Note that the first source has something; called in the loop's thread."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            try:
                waiter.set_result(None)
            except asyncio.InvalidStateError:  # cancelled meanwhile; to ask before each message is slower
                return

    def _wake_for_others(self) -> None:
        self._others_have = True
        self.wake()

    def write_idle(self, broadcast: Broadcast) -> bool:
        """Write past the consumer while it waits; False while it handles a message, as order would suffer."""
        return self._waiter is not None and self.direct is not None and self.direct(broadcast)

    def get_nowait(self) -> Message | None:
        """Take the next message, or None if all sources are empty."""
        if not self._others_have:
            return self._first.receive_nowait()
        sources = self._sources  # mostly two; the source whose turn it is comes first
        for source in sources:
            message = source.receive_nowait()
            if message is not None:
                if source is not sources[-1]:
                    behind = sources.index(source) + 1
                    self._sources = sources[behind:] + sources[:behind]
                return message
        self._others_have = False
        return None

    async def get(self) -> Message:
        """Wait for the next message; cancelling loses none."""
        while (message := self.get_nowait()) is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return message

    async def deliver(self, handle: Callable[[Message], Awaitable[None]]) -> None:
        """Give each message to ``handle``, until it raises; ``failed`` is what it raised at.

        Tasks that ``handle`` has started get their first turn before the next message: a handler may
        rely on what the one before has begun. Others get a turn every :data:`BATCH` messages, also if
        this mailbox never runs dry. In a loop that does not count its tasks a turn follows each message.
        """
        loop, first = asyncio.get_running_loop(), self._first
        counts: list[float] = getattr(loop, TASKS_CREATED, _UNCOUNTED)
        while True:
            for _ in range(BATCH):
                # As get() does, but it is not called, nor a second coroutine, for each message (row "echo").
                while (message := self.get_nowait() if self._others_have else first.receive_nowait()) is None:
                    self._waiter = asyncio.Future(loop=loop)  # uvloop's create_future() is slower
                    await self._waiter
                if message.get("type") in LAST_MESSAGES:
                    self.peer_gone = True
                created = counts[0]
                try:
                    await handle(message)
                except ConsumerSignal:
                    raise
                except Exception:
                    self.failed = message
                    raise
                if pool.pinned:
                    leave_thread()
                if counts[0] != created:
                    break
            await asyncio.sleep(0)

    def close(self) -> list[ReceiveTask]:
        """Detach all sources; messages that were not taken stay in them.

        Returns:
            The :class:`ReceiveTask` sources, which the caller has to end.
        """
        receive_tasks = []
        for source in self._sources:
            source.set_wakeup(None)
            if type(source) is ReceiveTask:
                receive_tasks.append(source)
        self._first, self._sources = _NO_SOURCE, ()
        self._others_have = False
        self.direct = self._waiter = self._wakeup = None
        return receive_tasks


def _wake_nobody() -> None:
    """Nobody waits for messages yet."""


class ReceiveTask:
    """Makes a source of a plain ``receive`` coroutine function, with one task.

    It holds one message at most and asks for the next when that is taken.

    Args:
        receive: awaited again and again; what it raises comes out of ``receive_nowait``.
    """

    __slots__ = ("_error", "_message", "_receive", "_taken", "_task", "_wakeup")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._message: Message | None = None
        self._error: BaseException | None = None
        self._taken: asyncio.Future[None] | None = None
        self._wakeup: Wakeup = _wake_nobody
        self._task = asyncio.ensure_future(self._run())

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Await no ``receive()`` in this block: some servers (granian) do not close while one is pending."""
        waiting = self._message is None and not self._task.done()
        if waiting:
            await self.aclose()
        try:
            yield
        finally:
            if waiting and self._task.cancelled():
                self._task = asyncio.ensure_future(self._run())

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """See :class:`~channels.typing.EventSource`."""
        self._wakeup = wakeup or _wake_nobody

    def receive_nowait(self) -> Message | None:
        """Take the message; raise what ``receive`` raised."""
        message, self._message = self._message, None
        if message is None and self._error is not None:
            raise self._error
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        return message

    async def _run(self) -> None:
        try:
            while True:
                self._message = await self._receive()
                self._taken = asyncio.get_running_loop().create_future()
                self._wakeup()
                await self._taken
        except Exception as error:
            self._error = error
            self._wakeup()

    async def aclose(self) -> None:
        """End the task and wait until it has ended."""
        self._task.cancel()
        await asyncio.wait([self._task])


def close_without_pending_receive(receive_task: ReceiveTask, send: Send) -> Send:
    """Return ``send`` so that ``receive_task`` awaits no ``receive()`` while a close is sent."""

    async def send_while_paused(message: Message) -> None:
        if message.get("type") != "websocket.close":
            return await send(message)
        async with receive_task.paused():
            return await send(message)

    return send_while_paused


_inner_of: dict[Any, Callable[[Any, str], Send | None]] = {}
_fastlane: set[Any] = set()


def pushing_receive(scope: Scope, receive: Receive) -> EventSource | None:
    """Return the server's own source, unless somebody has wrapped its ``receive``."""
    source: Any = scope.get("extensions", {}).get(PUSH_EXTENSION)
    if source is not None and source.receive == receive:
        pushing: EventSource = source
        return pushing
    return None


def direct_write(source: EventSource, send: Send) -> FastlaneWrite | None:
    """Return how the server of ``source`` writes a broadcast, unless somebody has wrapped its ``send``.

    A wrapper does not count if it is a method that :func:`may_be_left_out` has marked.
    """
    while (inner_of := _inner_of.get(getattr(send, "__func__", None))) is not None:
        wrapper: Any = send
        inner: Send | None = inner_of(wrapper.__self__, BROADCAST_TYPE)
        if inner is None:
            return None
        send = inner
    if getattr(source, "send", None) != send:
        return None
    write: FastlaneWrite | None = getattr(source, "write_broadcast", None)
    return write


def may_be_left_out(method: Any, inner_of: Callable[[Any, str], Send | None]) -> None:
    """Mark a ``send`` that hands some messages on to another one as they are.

    It is the function that is marked: one that overrides it is not, nor is one that ``functools.wraps`` it.

    Args:
        method: the function.
        inner_of: called with the method's object and a message type; returns the ``send`` that gets
            messages of this type untouched, or None if the method looks at them.
    """
    _inner_of[method] = inner_of


def fastlane(handler: Handler) -> Handler:
    """Mark a handler that only passes its message on to the server: it may be left out.

    It is the function that is marked, as :func:`may_be_left_out` does it.
    """
    _fastlane.add(handler)
    return handler


def is_fastlane(handler: object) -> bool:
    """Whether ``handler`` is a method that :func:`fastlane` has marked, on whichever object."""
    return getattr(handler, "__func__", None) in _fastlane
