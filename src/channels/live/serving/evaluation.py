"""Evaluating a live query: what the database says, compared with the rows that subscribers have.

What has to be published depends on the rows at the end of the stream. So each publication carries, as its
idempotency key, the position that it was made for: of two nodes that publish for the same position the store
takes one, and the other one looks again. Each reading of the database is therefore later than the one whose
result was published before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeAlias

from msgspec import Raw

from channels.live.capture.triggers import has_triggers
from channels.live.query import LiveQuery
from channels.live.reading.dependencies import Dependencies
from channels.live.reading.reader import reader_of
from channels.live.rows import Rows, encode_snapshot, publication_of
from channels.live.serving.checkpoints import EVERY, Checkpoint, read_checkpoint, write_checkpoint
from channels.live.serving.state import State
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.stores.base import Append, Position
from channels.topics.topic import History, retention_of

#: Calls a function in a thread.
InThread: TypeAlias = Callable[..., Awaitable[Any]]

#: Times that a publication may come too late before something else is done.
ATTEMPTS: Final = 20
#: Seconds to wait for what was published to be delivered before it is looked for.
DELIVERED_WITHIN: Final = 0.5


class Evaluation:
    """What one event loop knows of a live query, and how it learns more.

    Args:
        topic: the query.
        live: its topic in this loop.

    Attributes:
        state: the rows.
        dependencies: of the rows; None until :meth:`prepare`.
        triggering: the aliases of databases with triggers that tell of changes.
        moved: set when the topic's position has moved.
    """

    def __init__(self, topic: LiveQuery, live: LiveTopic) -> None:
        self._topic, self._live, self._reader = topic, live, reader_of(topic)
        self.state = State(live)
        self.dependencies: Dependencies | None = None
        self.triggering: list[str] = []
        self.moved = asyncio.Event()
        self._ordered = False
        self._history = type(topic).history or History(1, 1)
        self._kept: tuple[int, float] = (0, float("-inf"))

    def prepare(self) -> None:
        """Learn what the rows depend on; in a thread."""
        self._ordered = self._reader.is_ordered()
        dependencies = self._reader.dependencies()
        self.triggering = [using for using in sorted(dependencies.aliases) if has_triggers(using)]
        self.dependencies = dependencies

    async def begin(self, in_thread: InThread) -> None:
        """Find the rows, and bring them up to date; see :meth:`run` for what is raised."""
        for _ in range(ATTEMPTS):
            if await self._recall():
                if await self.run(None, in_thread):
                    return
            elif await self._publish_all(in_thread):
                return
        raise TimeoutError(f"The stream of {self._topic} moves faster than it can be followed.")

    async def run(self, keys: Collection[Any] | None, in_thread: InThread) -> bool:
        """Publish what the database has other than subscribers; False if others are always faster.

        Args:
            keys: of rows that may have changed; None: all rows.
            in_thread: calls a function in a thread.

        Raises:
            TooManyRows: there are more than ``max_rows``.
            StoreUnavailable: the store does not answer.
        """
        for _ in range(ATTEMPTS):
            if not self.state.follow() and not await self._recall():
                return False
            position = self.state.position
            reading = await in_thread(self._reader.read, keys)
            if position is None or self._live.position != position or not self.state.follow():
                continue
            data, amount = self.state.difference(reading, self._ordered)
            self._reader.require_few(amount)
            if data is None or await self._publish(data, position):
                await self._keep()
                return True
        return False

    async def _recall(self) -> bool:
        """Find the rows as they were kept, and follow what was published since; whether that was possible."""
        await self._live.load_recent()
        checkpoint = await read_checkpoint(self._live.store, self._live.name)
        if checkpoint is None:
            return False
        self.state.set(checkpoint.rows, checkpoint.position)
        if self.state.follow():
            self._kept = (checkpoint.position.offset, time.monotonic())
            return True
        self.state.position = None
        return False

    async def _publish_all(self, in_thread: InThread) -> bool:
        """Publish all rows: nobody knows what subscribers have that come back."""
        position = self._live.position
        reading = await in_thread(self._reader.read, None)
        if position is None or self._live.position != position:
            return False
        if not await self._publish(encode_snapshot(reading.rows.items()), position):
            return False
        if self._live.position is None or self._live.position.offset != position.offset + 1:
            return False
        self.state.set(Rows(dict(reading.rows)), self._live.position)
        await self._keep()
        return True

    async def _publish(self, data: Raw, position: Position) -> bool:
        """Publish what leads on from a position, wait until it is delivered; False if it came too late."""
        publication = publication_of(data)
        key = f"live:{position.epoch}:{position.offset}"
        append = Append(self._live.name, publication, retention_of(type(self._topic)), idempotency_key=key)
        self.moved.clear()
        published = await self._live.store.publish(append)
        await self._delivered(position if not published.accepted else None, published.position.offset)
        return published.accepted

    async def _delivered(self, moved_from: Position | None, offset: int) -> None:
        """Wait until this loop has what is in the stream."""
        for _ in range(ATTEMPTS):
            at = self._live.position
            if at is not None and (at != moved_from if moved_from is not None else at.offset >= offset):
                return
            try:
                async with asyncio.timeout(DELIVERED_WITHIN):
                    await self.moved.wait()
            except TimeoutError:
                await self._live.check()
            self.moved.clear()

    async def _keep(self) -> None:
        """Keep the rows for nodes that come later, if it was long ago."""
        if not self.state.follow() or self.state.position is None:
            return
        offset, now = self.state.position.offset, time.monotonic()
        every = max(1, min(EVERY, self._history.size // 2))
        if offset - self._kept[0] >= every or now - self._kept[1] > self._history.seconds / 2:
            self._kept = offset, now
            checkpoint = Checkpoint(self.state.position, self.state.rows)
            await write_checkpoint(self._live.store, self._live.name, checkpoint, self._history.seconds)
