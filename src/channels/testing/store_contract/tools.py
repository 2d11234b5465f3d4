"""What the tests of stores have in common: how a store is made, and a receiver that notes what it is told."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import msgspec

from channels.core.private import PrivateField
from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.topics.stores.base import Append, Event, Retention

PATIENCE = 30.0  # seconds until an event that should come counts as lost

#: A topic that keeps more than the tests publish.
KEPT = Retention(size=10_000, ttl=600)


def publication(data: object, **fields: Any) -> Publication:
    """Return a publication of ``data``, as JSON."""
    return Publication(data=msgspec.Raw(msgspec.json.encode(data)), **fields)


def append(topic: str, data: object, retention: Retention = KEPT, **options: Any) -> Append:
    """Return ``data`` on its way into a stream."""
    return Append(topic, publication(data), retention, **options)


def values(publications: Iterable[Event]) -> list[Any]:
    """Return the data of publications."""
    return [msgspec.json.decode(each.data) for each in publications if isinstance(each, Publication)]


def offsets(publications: Iterable[Event]) -> list[int]:
    """Return the offsets of publications."""
    return [each.offset for each in publications if isinstance(each, Publication)]


def client(name: str, user: str = "") -> ClientInfo:
    """Return a client."""
    return ClientInfo(user=user, client=name, conn_info=msgspec.Raw(b'{"name":"\xc3\xa9"}'))


class Recorder:
    """A receiver of the running loop that notes what it is told, in order.

    Attributes:
        events: (topic, event), as they came.
        controls: the messages to all.
        interruptions: how often something may have been lost.
    """

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.controls: list[bytes] = []
        self.interruptions = 0
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()

    def received(self, topic: str, event: Event) -> None:
        """See :class:`channels.topics.stores.base.Receiver`."""
        self.events.append((topic, event))
        self._wake()

    def controlled(self, message: bytes) -> None:
        """See :class:`channels.topics.stores.base.Receiver`."""
        self.controls.append(message)
        self._wake()

    def interrupted(self) -> None:
        """See :class:`channels.topics.stores.base.Receiver`."""
        self.interruptions += 1
        self._wake()

    def of(self, topic: str) -> list[Event]:
        """Return the events of one topic."""
        return [event for each, event in self.events if each == topic]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what was noted fulfils a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._told.clear()
                await self._told.wait()

    async def take(self, topic: str, amount: int) -> list[Event]:
        """Return the events of a topic when there are as many as that."""
        await self.until(lambda: len(self.of(topic)) >= amount)
        return self.of(topic)

    async def messages(self, amount: int) -> None:
        """Wait until there are as many messages to all."""
        await self.until(lambda: len(self.controls) >= amount)

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)


#: Test cases of others may have attributes of any name.
_made: PrivateField[list[Any]] = PrivateField("stores", [])
_marks: PrivateField[str] = PrivateField("mark", "")


def mark_of(tests: StoreTests) -> str:
    """Return what only the names of one test have in them."""
    return _marks.get(tests)


class StoreTests:
    """How a store is made, and what several tests do with it."""

    spans_processes = False

    def make_store(self, **config: Any) -> Any:
        """Return a new store."""
        raise NotImplementedError(f"{type(self).__name__} must implement make_store(**config).")

    async def pass_time(self, seconds: float) -> None:
        """Return when as much time has passed for the stores."""
        await asyncio.sleep(seconds)

    async def interrupt(self) -> bool:
        """Cut the connections of all stores to their backend; False if they have none."""
        return False

    async def asyncSetUp(self) -> None:
        """Make the store that most tests use."""
        _made.set(self, [])
        _marks.set(self, uuid.uuid4().hex[:8])
        self.store = self.new_store()

    async def asyncTearDown(self) -> None:
        """Close what was made."""
        for store in _made.get(self):
            store.sync.close()
            await store.aclose()

    def new_store(self, **config: Any) -> Any:
        """Return a store that is closed when the test ends."""
        store = self.make_store(**config)
        _made.get(self).append(store)
        return store

    def topic(self, name: str) -> str:
        """Return a name that no other test has."""
        return f"{name}:{mark_of(self)}"

    async def receiver(self, *topics: str, store: Any = None) -> Recorder:
        """Return a receiver of this loop that has subscribed to ``topics``."""
        recorder = Recorder()
        (store or self.store).attach(recorder)
        for topic in topics:
            await (store or self.store).subscribe(topic, recorder)
        return recorder

    async def publish_all(self, topic: str, data: Iterable[object], retention: Retention = KEPT) -> None:
        """Publish one after the other."""
        for each in data:
            await self.store.publish(append(topic, each, retention))

    async def in_thread(self, function: Callable[[], object]) -> None:
        """Run sync code in a thread of its own, beside this loop."""
        await in_threads([function])

    async def in_loop(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run async code in a loop of its own, in another thread."""
        await in_threads([lambda: asyncio.run(function())])

    async def assert_quiet(self, recorder: Recorder, topic: str) -> None:
        """Fail if a receiver was told of ``topic``; what was published before has arrived by now."""
        marker = self.topic("quiet")
        await self.store.subscribe(marker, recorder)
        await self.store.publish(append(marker, "end", Retention()))
        await recorder.take(marker, 1)
        await self.store.unsubscribe(marker, recorder)
        recorder.events = [each for each in recorder.events if each[0] != marker]
        assert recorder.of(topic) == [], f"Nothing should arrive on {topic!r}, got {recorder.of(topic)!r}."


async def in_threads(functions: Iterable[Callable[[], object]]) -> None:
    """Run functions, each in a thread of its own; raises what one of them raises."""
    await asyncio.gather(*(_in_thread(function) for function in functions))


def _in_thread(function: Callable[[], object]) -> Awaitable[None]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            function()
        except BaseException as error:
            failure = error
        loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run).start()
    return done
