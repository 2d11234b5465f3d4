"""One topic that a process wants, and where its subscription stands."""

from __future__ import annotations

import asyncio
import enum

from channels.layers.redis.connect.pipeline import SubscriptionConnection
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import Topic


class State(enum.Enum):
    """Where a subscription stands."""

    LOST = "not asked for, or its connection was lost"
    ASKED = "asked for"
    ON = "confirmed"
    LEAVING = "asked to end"


class Subscription:
    """One topic, its state, and those who wait until it is confirmed."""

    __slots__ = ("confirmed", "connection", "state", "topic", "watch")

    def __init__(self, topic: Topic, watch: GapDetector | None = None) -> None:
        self.topic = topic
        self.state = State.LOST
        self.connection: SubscriptionConnection | None = None
        self.watch = watch or GapDetector()
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def interrupted(self) -> bool:
        """Whether it was confirmed before and is not now."""
        return self.watch.interrupted is not None and self.state in (State.LOST, State.ASKED)

    def settle(self, error: BaseException | None = None) -> None:
        """Tell those who wait how it ended."""
        if self.confirmed.done():
            return
        if error is None:
            self.confirmed.set_result(None)
        else:
            self.confirmed.set_exception(error)
            self.confirmed.exception()  # perhaps nobody waits

    def lost(self) -> None:
        """Note that the connection is gone; those who wait keep waiting."""
        if self.state is State.ON:
            self.watch.interrupt()
        self.state = State.LOST
        self.connection = None
        if self.confirmed.done():
            self.confirmed = asyncio.get_running_loop().create_future()
