"""How a group's messages reach its members in one event loop.

An ordinary message goes to the channels at once. Messages for the sockets (see
:mod:`channels.core.broadcast`) that are sent in one turn of the loop are collected: each member
gets them in one write, past its consumer, if that is idle; else on its channel, in order.
A large group is served in slices, so that one message to everybody does not hold up the rest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from threading import get_ident
from typing import Final, NamedTuple, Protocol

from channels.core.broadcast import BROADCAST_TYPE, Broadcast
from channels.layers.local.channel import LocalChannel, announce_all, call_in_loop
from channels.layers.local.values import Copies
from channels.typing import Message

#: Members served before other work of the loop gets its turn.
SLICE: Final = 256
#: Messages that are written to a member in one piece.
RUN: Final = 64


class Counts(Protocol):
    """Who is told what became of messages."""

    delivered: int
    copies: Copies

    def dropped(self, reason: str, amount: int) -> None:
        """Count messages that members missed."""

    def overfull(self, group: str, full: int, members: int, message: Message | None) -> None:
        """Count, and tell of, members of ``group`` that were full when a message (None: several) came."""

    def settled(self, fanout: Fanout) -> None:
        """Note that nothing of ``fanout`` is on its way any more."""


class _Waiting(NamedTuple):
    """A message, and whoever was a member when it was sent."""

    members: list[LocalChannel]
    message: Message
    expires: float

    @property
    def is_broadcast(self) -> bool:
        return self.message.get("type") == BROADCAST_TYPE


class _Batch:
    """Messages that each member gets in one piece; ``served`` members have them."""

    __slots__ = ("broadcast", "expires", "full", "members", "messages", "served")

    def __init__(self, first: _Waiting) -> None:
        self.members, self.expires, self.served, self.full = first.members, first.expires, 0, 0
        self.messages = [first.message]
        self.broadcast = Broadcast(self.messages) if first.is_broadcast else None


class Fanout:
    """The members of one group in one event loop, and the messages on their way to them.

    Args:
        group: the group.
        loop: the members' loop; the calling thread need not be its.
        thread: that loop's thread.
        capacity: messages that may be on their way before members miss them.
        counts: told what became of messages.

    Attributes:
        members: their channels; not changed while messages are on their way to them.
    """

    __slots__ = (
        "_capacity",
        "_counts",
        "_group",
        "_loop",
        "_run",
        "_scheduled",
        "_waiting",
        "members",
        "thread",
    )

    def __init__(
        self, group: str, loop: asyncio.AbstractEventLoop, thread: int, capacity: int, counts: Counts
    ) -> None:
        self.thread = thread
        self._group = group
        self.members: list[LocalChannel] = []
        self._loop = loop
        self._capacity = capacity
        self._counts = counts
        self._waiting: deque[_Waiting] = deque()
        self._run: _Batch | None = None
        self._scheduled = False

    @property
    def busy(self) -> bool:
        """Whether messages are on their way: later ones must not overtake them."""
        return bool(self._waiting) or self._run is not None

    def joined(self, channel: LocalChannel) -> bool:
        """Add a member; False while messages are on their way that were sent before it joined."""
        if self.busy:
            return False
        self.members.append(channel)
        return True

    def send(self, message: Message, expires: float) -> int | None:
        """Bring ``message`` to every member; from any thread.

        Returns:
            How many members were full, for the caller to count; None while the message is on its way.
        """
        members, is_idle = (
            self.members,
            not self._waiting and self._run is None,
        )  # without a call, as in ``busy``
        if is_idle and len(members) <= SLICE and message.get("type") != BROADCAST_TYPE:
            return self._append(members, message, expires)
        if len(self._waiting) >= self._capacity:
            if self.thread == get_ident():
                self.advance()
            if len(self._waiting) >= self._capacity:
                return len(members)
        self._waiting.append(_Waiting(members, self._counts.copies.copy(message), expires))
        self._schedule()
        return None

    def clear(self) -> None:
        """Forget what is on its way."""
        self._waiting.clear()
        self._run = None

    def _schedule(self) -> None:
        if self._scheduled:
            return
        self._scheduled = True
        if self.thread == get_ident():
            self._loop.call_soon(self._look_once_more)
        else:
            call_in_loop(self._loop, self._turn)

    def _look_once_more(self) -> None:
        """Let the loop look at its sockets first: what has come meanwhile goes into the same write."""
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.advance()

    def advance(self) -> None:
        """Serve a slice of members now, in the loop's thread; the rest, if any, in later turns."""
        budget = SLICE
        while budget > 0 and (run := self._run or self._next_run()) is not None:
            budget -= self._serve(run, budget)
        if self.busy and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)
        elif not self.busy:
            self._counts.settled(self)

    def _next_run(self) -> _Batch | None:
        """Take the next message, and all after it that go to the same sockets."""
        waiting = self._waiting
        if not waiting:
            return None
        # Set before it is taken: another thread that looks at ``busy`` must not see a gap.
        run = self._run = _Batch(waiting[0])
        waiting.popleft()
        if run.broadcast is not None:
            while waiting and len(run.messages) < RUN:
                following = waiting[0]
                if following.members is not run.members or not following.is_broadcast:
                    break
                run.messages.append(following.message)
                waiting.popleft()
        return run

    def _serve(self, run: _Batch, budget: int) -> int:
        """Give a run to at most ``budget`` members; returns to how many."""
        part = run.members[run.served : run.served + budget]
        run.served += len(part)
        if run.served == len(run.members):
            self._run = None
        if run.broadcast is not None:
            busy = _write(run.broadcast, part)
            self._counts.delivered += (len(part) - len(busy)) * len(run.messages)
            for message in run.messages if busy else ():
                run.full += self._append(busy, message, run.expires)
        else:
            run.full += self._append(part, run.messages[0], run.expires)
        if run.full and self._run is not run:
            only = run.messages[0] if len(run.messages) == 1 else None
            self._counts.overfull(self._group, run.full, len(run.members), only)
        return max(1, len(part))

    def _append(self, members: list[LocalChannel], message: Message, expires: float) -> int:
        """Put a copy on each channel whose consumer has not ended; returns how many were full."""
        present = [channel for channel in members if channel.loop is not None]
        if len(present) < len(members):
            self._counts.dropped("closed", len(members) - len(present))
        return append_all(present, message, expires, self._counts)


def append_all(members: list[LocalChannel], message: Message, expires: float, counts: Counts) -> int:
    """Put a copy of ``message`` on each channel and tell whoever receives; returns how many were full.

    The caller counts those.
    """
    copy = counts.copies.copier(message)
    reached = [channel for channel in members if channel.append(copy(message), expires)]
    full = len(members) - len(reached)
    counts.delivered += len(reached)
    announce_all(reached)
    return full


def _write(broadcast: Broadcast, members: list[LocalChannel]) -> list[LocalChannel]:
    """Write to the sockets of idle members; returns the channels of the others.

    What waits on a channel comes first: then the broadcast has to queue behind it.
    """
    return [
        channel
        for channel in members
        if channel.unread or channel.direct is None or not channel.direct(broadcast)
    ]
