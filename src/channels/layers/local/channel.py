"""One channel of this process: its unread messages, and whoever receives them.

Senders may live in any thread and loop. Each channel belongs to the loop that receives
on it: a sender elsewhere appends the message (one atomic operation of a deque) and has
that loop told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any, Protocol

from channels.core.broadcast import FastlaneWrite
from channels.typing import Message, Wakeup


class ChannelOwner(Protocol):
    """Whose clock a channel uses, and who counts what expired on it."""

    clock: Callable[[], float]

    def expired(self, channel: LocalChannel, amount: int) -> None:
        """Count messages that nobody took in time."""


class LocalChannel:
    """The unread messages of one channel, in order; an :class:`~channels.typing.EventSource`.

    Args:
        name: the channel's name.
        owner: whose clock, expiry and drop counts apply.
        capacity: unread messages it holds.

    Attributes:
        unread: each with the time it expires at; None until there was one.
        loop: the loop of the consumer that takes from it; None while there is none.
        thread: that loop's thread.
        direct: writes to the consumer's socket, past the consumer; None if that is not possible.
    """

    __slots__ = (
        "_owner",
        "_waiters",
        "_wakeup",
        "capacity",
        "direct",
        "loop",
        "name",
        "reconnect_notice",
        "thread",
        "unread",
    )

    def __init__(self, name: str, owner: ChannelOwner, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.reconnect_notice = False
        self.unread: deque[tuple[float, Message]] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = 0
        self.direct: FastlaneWrite | None = None
        self._owner = owner
        self._wakeup: Wakeup | None = None
        self._waiters: deque[tuple[int, asyncio.Future[None]]] | None = None

    def __len__(self) -> int:
        """Count the unread messages, expired ones included until somebody looks."""
        return len(self.unread or ())

    def qsize(self) -> int:
        """Count the unread messages: what tests ask of a queue in ``layer.channels``."""
        return len(self)

    def empty(self) -> bool:
        """Tell whether there is no unread message, as a queue would."""
        return not self.unread

    @property
    def attached(self) -> bool:
        """Whether a consumer takes messages from it."""
        return self.loop is not None

    @property
    def served(self) -> bool:
        """Whether somebody receives on it now."""
        return self.attached or bool(self._waiters)

    @property
    def idle(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.unread or self._waiters or self.attached)

    def attach(self, reconnect_notice: bool) -> None:
        """Make it belong to the consumer that runs in this thread's loop; see ``LocalDelivery.attach``."""
        self.reconnect_notice = reconnect_notice
        self.loop = asyncio.get_running_loop()
        self.thread = get_ident()

    def detach(self) -> None:
        """Its consumer has ended."""
        self.loop = self._wakeup = self.direct = None

    def set_direct(self, direct: FastlaneWrite) -> None:
        """Write broadcasts to the consumer's socket with ``direct``, until it ends."""
        self.direct = direct

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """See :class:`~channels.typing.EventSource`."""
        self._wakeup = wakeup

    def receive_nowait(self) -> Message | None:
        """Take the oldest message that has not expired, or None."""
        unread = self.unread
        if not unread:
            return None
        expires, message = unread.popleft()
        if expires > self._owner.clock():
            return message
        unread.appendleft((expires, message))
        self.drop_expired()
        return unread.popleft()[1] if unread else None

    async def receive(self) -> Message:
        """Wait for the oldest message; a cancelled wait passes its turn on to the next.

        A handler may wait for a message of its own consumer's channel: that one goes to the handler.
        """
        while (message := self.receive_nowait()) is None:
            waiter = asyncio.get_running_loop().create_future()
            entry = (get_ident(), waiter)
            if self._waiters is None:
                self._waiters = deque()
            self._waiters.append(entry)
            try:
                await waiter
            except BaseException:  # cancelled, or thrown away with its loop
                self._give_up(entry)
                raise
        return message

    def _give_up(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        if self._waiters and entry in self._waiters:
            self._waiters.remove(entry)
        elif self.unread:
            self.announce()

    def append(self, message: Message, expires: float) -> bool:
        """Add a message nobody else holds; False, and not added, if the channel is full."""
        unread = self.unread
        if unread is None:
            unread = self.unread = deque()
        if len(unread) >= self.capacity and not self.drop_expired():
            return False
        unread.append((expires, message))
        return True

    def drop_expired(self) -> int:
        """Drop and count what has expired; return how many messages that were."""
        now, unread, dropped = self._owner.clock(), self.unread, 0
        while unread and unread[0][0] <= now:
            unread.popleft()
            dropped += 1
        if dropped:
            self._owner.expired(self, dropped)
        return dropped

    def announce(self) -> None:
        """Tell whoever receives that something is there, in the receiver's own thread.

        Who waits in ``receive`` comes first: a handler that does so keeps its consumer from looking.
        """
        if self._waiters and self._wake_waiter(self._waiters):
            return
        wakeup = self._wakeup
        if wakeup is None:
            return
        if self.thread == get_ident() or self.loop is None:
            wakeup()
        else:
            call_in_loop(self.loop, wakeup)

    def _wake_waiter(self, waiters: deque[tuple[int, asyncio.Future[None]]]) -> bool:
        """Wake who has waited for longest; False if nobody is left: their loops were closed, say."""
        while True:
            try:
                thread, waiter = waiters.popleft()
            except IndexError:
                return False
            if not (waiter.done() or waiter.get_loop().is_closed()):
                break
        if thread == get_ident():
            resolve(waiter)
        else:
            call_in_loop(waiter.get_loop(), resolve, waiter)
        return True


def resolve(waiter: asyncio.Future[None]) -> None:
    """Wake a waiter unless it was cancelled meanwhile."""
    if not waiter.done():
        waiter.set_result(None)


def call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Run ``function`` in ``loop``; a loop that is closed has nobody left to tell."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *args)


def announce_all(channels: Iterable[LocalChannel]) -> None:
    """Tell each channel's receiver; a loop in another thread is woken once for all of its own."""
    here = get_ident()
    elsewhere: dict[asyncio.AbstractEventLoop, list[LocalChannel]] = {}
    for channel in channels:
        if channel.thread == here and channel._wakeup is not None and not channel._waiters:
            channel._wakeup()
        elif channel.loop is None or channel.thread == here:
            channel.announce()
        else:
            elsewhere.setdefault(channel.loop, []).append(channel)
    for loop, theirs in elsewhere.items():
        call_in_loop(loop, announce_all, theirs)
