"""What comes over the host layer to one event loop: publications in order, whatever the way has lost."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

from channels import telemetry
from channels.layers.host.layer import HostChannelLayer
from channels.protocols.centrifuge.messages import ClientInfo, Join, Leave
from channels.topics.stores.base import Event, Position, Receiver, StoreUnavailable, StreamPage
from channels.topics.stores.host.database import IMPATIENCE, PATIENCE, Busy, Database
from channels.topics.stores.records import decode_client, decode_publication, encode_client

#: The group of every link, for what is said to all.
CONTROL: Final = "topics.control"
#: Seconds between two looks at what no hint has told.
CHECK: Final = 2.0

#: The type of what is carried; a consumer never sees it.
_TYPE: Final = "topics.event"
_JOIN, _LEAVE = 1, 2


def group_of(topic: str) -> str:
    """Return the group that carries a topic: names of groups are shorter than those of topics, and ASCII."""
    return f"topics.{hashlib.blake2b(topic.encode(), digest_size=18).hexdigest()}"


def publication_message(topic: str, record: bytes, position: Position) -> dict[str, Any]:
    """Return a publication as it is carried."""
    return {
        "type": _TYPE,
        "topic": topic,
        "record": record,
        "offset": position.offset,
        "epoch": position.epoch,
    }


def presence_message(topic: str, info: ClientInfo, came: bool) -> dict[str, Any]:
    """Return that somebody has come or left, as it is carried."""
    return {"type": _TYPE, "topic": topic, "who": encode_client(info), "what": _JOIN if came else _LEAVE}


def control_message(message: bytes) -> dict[str, Any]:
    """Return what is said to all, as it is carried."""
    return {"type": _TYPE, "control": message}


class Link:
    """One receiver's connection to the layer and its place in each topic; all in the receiver's loop.

    Args:
        receiver: who is told.
        layer: carries.
        database: keeps.

    Attributes:
        loop: the receiver's.
    """

    def __init__(self, receiver: Receiver, layer: HostChannelLayer, database: Database) -> None:
        self._receiver, self._layer, self._database = receiver, layer, database
        self.loop = asyncio.get_running_loop()
        self._positions: dict[str, Position] = {}
        self._channel = ""
        self._source: Any = None
        self._started = self.loop.create_task(self._start())
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def subscribe(self, topic: str) -> None:
        """Tell the receiver of a topic: of all that is published after this.

        Raises:
            StoreUnavailable: there is no broker, or the file cannot be read.
        """
        await asyncio.shield(self._started)
        await self._layer.group_add(group_of(topic), self._channel)
        found = await asyncio.to_thread(self._database.positions, [topic], PATIENCE)
        self._positions[topic] = found.get(topic, Position(0, ""))

    async def unsubscribe(self, topic: str) -> None:
        """Tell it nothing more of a topic."""
        if self._positions.pop(topic, None) is not None:
            await self._layer.group_discard(group_of(topic), self._channel)

    def close(self) -> None:
        """Leave the layer."""
        self._started.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._source is not None:
            self._source.set_wakeup(None)
            self._layer.detach(self._channel)

    async def _start(self) -> None:
        self._channel = await self._layer.new_channel("topics")
        self._source = self._layer.attach(self._channel, reconnect_notice=True)
        self._source.set_wakeup(self._drain)
        await self._layer.group_add(CONTROL, self._channel)
        self._check_soon()

    # What comes

    def _drain(self) -> None:
        while (message := self._source.receive_nowait()) is not None:
            if "control" in message:
                self._receiver.controlled(message["control"])
            elif "topic" in message:
                self._take(message)
            else:  # the layer was away
                self._receiver.interrupted()
                self._catch_up(list(self._positions))

    def _take(self, message: Any) -> None:
        topic = message["topic"]
        last = self._positions.get(topic)
        if last is None:
            return
        if "who" in message:
            info = decode_client(message["who"])
            event: Event = Join(info=info) if message["what"] == _JOIN else Leave(info=info)
            self._receiver.received(topic, event)
            return
        offset, epoch = message["offset"], message["epoch"]
        if not offset:
            self._receiver.received(topic, decode_publication(message["record"], 0, ""))
        elif offset == last.offset + 1 and epoch == last.epoch:
            self._deliver(topic, message["record"], Position(offset, epoch))
        elif epoch != last.epoch or offset > last.offset:
            self._catch_up([topic])

    def _deliver(self, topic: str, record: bytes, position: Position) -> None:
        self._positions[topic] = position
        self._receiver.received(topic, decode_publication(record, *position))

    def _catch_up(self, topics: list[str]) -> None:
        """Read from the file what no hint has told; in a thread if another process holds it."""
        for index, topic in enumerate(topics):
            last = self._positions.get(topic)
            try:
                if last is not None:
                    self._hand_on(topic, last, self._page_after(topic, last, IMPATIENCE))
            except Busy:
                task = self.loop.create_task(self._catch_up_later(topics[index:]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return

    async def _catch_up_later(self, topics: list[str]) -> None:
        for topic in topics:
            last = self._positions.get(topic)
            if last is not None:
                self._hand_on(topic, last, await asyncio.to_thread(self._page_after, topic, last, PATIENCE))

    def _page_after(self, topic: str, last: Position, patience: float) -> StreamPage:
        """Return what follows a position; all of the stream, if it is another one now."""
        page = self._database.read(topic, last, -1, False, patience)
        if last.epoch and page.position.epoch != last.epoch:
            page = self._database.read(topic, None, -1, False, patience)
        return page

    def _hand_on(self, topic: str, last: Position, page: StreamPage) -> None:
        """Tell the receiver of a page, unless it has been told of something after ``last`` meanwhile."""
        if self._positions.get(topic) == last:
            self._positions[topic] = page.position
            for publication in page.publications:
                self._receiver.received(topic, publication)

    def _check_soon(self) -> None:
        self._timer = self.loop.call_later(CHECK, self._check)

    def _check(self) -> None:
        """Find what was kept and not carried, as its publisher was killed in between."""
        self._check_soon()
        if not self._positions:
            return
        try:
            ends = self._database.positions(list(self._positions), IMPATIENCE)
        except (Busy, StoreUnavailable) as error:
            telemetry.count("topics.store_failed", error=repr(error))
        else:
            self._catch_up([topic for topic, end in ends.items() if self._positions.get(topic, end) != end])
