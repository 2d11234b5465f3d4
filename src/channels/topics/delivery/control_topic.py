"""What all nodes are told and none may miss: a topic of its own, whose gaps are filled as others' are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from channels import telemetry
from channels.protocols.centrifuge.messages import Publication
from channels.topics.control import CONTROL_RETENTION, CONTROL_TOPIC
from channels.topics.delivery.live_topic import RETRY, LiveTopic, Spawn
from channels.topics.stores.base import Event, Store, StoreUnavailable

#: Seconds between two attempts to hear what nodes are told, at most.
LONGEST_WAIT: Final = 30.0
#: The number of no topic that a client may have.
_NUMBER: Final = 0


class ControlTopic(LiveTopic):
    """The stream of control messages, as one event loop follows it.

    Args:
        store: keeps it.
        spawn: runs a coroutine until it ends.
        obey: called with each message, in their order.
        lost: called when messages are lost, which the store has no more.
    """

    __slots__ = ("_heard", "_lost", "_obey")

    def __init__(
        self, store: Store, spawn: Spawn, obey: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        super().__init__(CONTROL_TOPIC, _NUMBER, CONTROL_RETENTION, True, store, spawn)
        self._obey, self._lost = obey, lost
        self._heard = round(time.time() * 1000)
        self.expected = 1  # for as long as the loop runs

    def deliver(self, events: Sequence[Event]) -> None:
        """Obey what has come."""
        for event in events:
            if isinstance(event, Publication):
                self._heard = event.time
                self._obey(bytes(event.data))

    def _give_up(self) -> None:
        """Tell that messages are lost; and obey what the stream has of the time since the last one."""
        telemetry.count("topics.control_lost")
        self._lost()
        if self.position is not None:
            self._spawn(self._obey_between(self._heard, self.position.offset))

    async def _obey_between(self, heard: int, offset: int) -> None:
        page = await self.store.read(self.name)
        self.deliver([each for each in page.publications if each.time > heard and each.offset <= offset])


async def until_it_works(follow: Callable[[], Awaitable[None]], wanted: Callable[[], bool]) -> None:
    """Begin to follow control messages, as soon as the store lets us."""
    wait = RETRY
    while wanted():
        try:
            await follow()
            return
        except StoreUnavailable as error:
            telemetry.count("topics.control_not_heard", error=str(error))
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
