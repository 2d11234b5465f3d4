"""A live query in one event loop: who keeps its rows, and has them evaluated when something has changed."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from channels import telemetry
from channels.db import database_sync_to_async
from channels.live.capture.changes import Hint
from channels.live.capture.watched import STALE
from channels.live.query import LiveQuery, has_views
from channels.live.reading.reader import TooManyRows
from channels.live.serving.evaluated import Evaluated
from channels.live.serving.evaluation import Evaluation
from channels.live.serving.pending import Pending
from channels.live.serving.views import Views
from channels.protocols.centrifuge.codes import UnsubscribeCode
from channels.protocols.centrifuge.messages import Publication
from channels.sync.context import SyncContext
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.snapshots import SnapshotUnavailable, View
from channels.topics.stores.base import StoreUnavailable

logger = logging.getLogger("channels.live")

#: Seconds after which a node evaluates what the one that does so has not.
BACKUP: Final = 1.0
#: Publications after which rows follow, if nobody needs them before.
FOLLOW: Final = 64
#: Seconds between attempts while the database, or the store, does not answer: the first, and the longest.
RETRY, LONGEST_RETRY = 0.5, 10.0


class LiveSource:
    """A live query in one event loop: see :class:`channels.topics.delivery.snapshots.SnapshotSource`.

    One node evaluates for all: the one that did so last. Others wait for its word, and do it themselves if it
    does not come. That two do it at once is harmless: the stream takes a publication only from who knew its
    end (see :class:`~channels.live.serving.evaluation.Evaluation`).

    Args:
        topic: the query.
        live: its topic in this loop.
        node: of the loop.
        poll: seconds between two evaluations if nothing is heard.
    """

    def __init__(self, topic: LiveQuery, live: LiveTopic, node: Any, poll: float) -> None:
        self._topic, self._live, self._node, self._poll = topic, live, node, poll
        self._evaluation = Evaluation(topic, live)
        self._views = Views(topic, self._evaluation.state) if has_views(type(topic)) else None
        self._pending = Pending()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._backup: asyncio.TimerHandle | None = None
        self._second_look: asyncio.TimerHandle | None = None
        self._leader, self._heard = "", 0.0
        self.watched = False
        self.closed = False

    # What the topic asks for

    async def ready(self) -> None:
        """Have rows at hand; raises SnapshotUnavailable."""
        if self._evaluation.state.follow():
            return
        if self._starting is None:
            self._starting = _clean_task(self._start())
            self._starting.add_done_callback(self._started)
        await asyncio.shield(self._starting)

    def snapshot(self, client: Any) -> Publication | None:
        """Return the rows that a client may have; None if they are not known any more."""
        snapshot = self._evaluation.state.snapshot()
        if snapshot is None or self._views is None:
            return snapshot
        return self._views.snapshot(client, snapshot)

    def view_of(self, client: Any) -> View | None:
        """Return what the client gets of each publication; None: all of it."""
        return None if self._views is None else self._views.view_of(client)

    def advanced(self) -> None:
        """Follow what is published, now and then; who waits for it goes on."""
        self._evaluation.moved.set()
        if self._views is None and self._evaluation.state.behind() >= FOLLOW:
            self._evaluation.state.follow()

    def interrupted(self) -> None:
        """Look at all rows: hints may have been lost."""
        self._pending.add_all()
        self._due()

    def close(self) -> None:
        """Stop: nobody is subscribed any more."""
        self.closed = True
        for each in (self._starting, self._running, self._backup, self._second_look):
            if each is not None:
                each.cancel()
        self._node.discard(self)

    # What is heard

    @property
    def name(self) -> str:
        """The topic's."""
        return self._live.name

    @property
    def tables(self) -> frozenset[str]:
        """What the rows depend on; nothing until that is known."""
        dependencies = self._evaluation.dependencies
        return frozenset() if dependencies is None else dependencies.tables

    def hinted(self, hint: Hint) -> None:
        """Take a hint of what has changed."""
        dependencies = self._evaluation.dependencies
        # Until they are known nothing was read, so that what has changed will be.
        if dependencies is not None and self._pending.add(hint, dependencies):
            self._due()

    def evaluated(self, evaluated: Evaluated) -> None:
        """Take the word of another node."""
        self._heard = self._loop.time()
        if not evaluated.leaves:
            # If both have done it at once, each hears of the other; they have to agree who goes on.
            if self._leader != self._node.id or evaluated.node < self._node.id:
                self._leader = evaluated.node
            self._pending.covered(evaluated.covered)
        elif self._leader == evaluated.node:
            self._leader = ""
            self._due()

    def _due(self) -> None:
        if not self._pending or self.closed:
            return
        if self._leader in ("", self._node.id):
            self._wake.set()
        elif self._backup is None:
            self._backup = self._loop.call_later(BACKUP, self._take_over)

    def _take_over(self) -> None:
        self._backup = None
        if self._pending:
            telemetry.count("live.taken_over", topic=self.name)
            self._leader = ""
            self._due()

    # Evaluating

    async def _start(self) -> None:
        """Find the rows, as subscribers in other loops have them or by the query."""
        try:
            if self._evaluation.dependencies is None:
                await in_thread(self._evaluation.prepare)
            new = await self._node.watch(self)
            self._node.listen_to_triggers(self._evaluation.triggering)
            self._pending.take()
            await self._evaluation.begin(in_thread)
        except TooManyRows as error:
            telemetry.count("live.too_many_rows", topic=self.name)
            logger.error("%s", error)
            raise SnapshotUnavailable("this query has too many rows", temporary=False) from error
        except StoreUnavailable:
            raise
        except Exception as error:
            telemetry.count("live.evaluation_failed", topic=self.name, error=repr(error))
            logger.exception("Live query %s cannot be evaluated.", self.name)
            raise SnapshotUnavailable("internal server error", temporary=True) from error
        if new:
            self._second_look = self._loop.call_later(STALE * 1.2, self.interrupted)
        if self._running is None:
            self._running = _clean_task(self._run())

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # who waited has got it

    async def _run(self) -> None:
        retry = RETRY
        while True:
            await self._something_due()
            try:
                await self._evaluate()
            except TooManyRows as error:
                self._give_up(error)
                return
            except Exception as error:
                self._pending.add_all()
                telemetry.count("live.evaluation_failed", topic=self.name, error=repr(error))
                logger.warning("Live query %s cannot be evaluated now: %s", self.name, error, exc_info=error)
                await asyncio.sleep(retry)
                retry = min(retry * 2, LONGEST_RETRY)
                self._wake.set()
            else:
                retry = RETRY
                await asyncio.sleep(type(self._topic).interval)

    async def _something_due(self) -> None:
        """Wait until there is something to look at; if nothing is heard for long, look at everything."""
        while not self._wake.is_set():
            try:
                async with asyncio.timeout(self._poll):
                    await self._wake.wait()
            except TimeoutError:
                others = self._leader not in ("", self._node.id)
                if not others or self._loop.time() - self._heard > 2 * self._poll:
                    self._pending.add_all()
                    break
        self._wake.clear()

    async def _evaluate(self) -> None:
        batch = self._pending.take()
        begun = time.perf_counter()
        if not await self._evaluation.run(batch.keys, in_thread):
            raise StoreUnavailable(f"The stream of {self.name} moves faster than it can be followed.")
        self._leader = self._node.id
        telemetry.emit("live.evaluated", topic=self.name, seconds=time.perf_counter() - begun)
        await self._node.tell(Evaluated(self.name, self._node.id, batch.covered))

    def _give_up(self, error: TooManyRows) -> None:
        """End all subscriptions: clients cannot have that many rows."""
        telemetry.count("live.too_many_rows", topic=self.name)
        logger.error("%s", error)
        self._running = None
        self._evaluation.state.position = None
        for subscription in self._live.subscriptions():
            subscription.client.unsubscribe(
                self.name, UnsubscribeCode.SERVER_UNSUBSCRIBE, "this query has too many rows"
            )


_T = TypeVar("_T")


async def in_thread(function: Callable[..., _T], *args: Any) -> _T:
    """Call a function that uses the database, in a thread of the pool that waits for nobody's handlers."""
    context = SyncContext()
    context.enter()
    try:
        return await database_sync_to_async(function)(*args)
    finally:
        context.end()


def _clean_task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run something that outlives the subscriber who needed it first."""
    return asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
