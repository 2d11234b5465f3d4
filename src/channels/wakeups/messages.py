"""Wake-ups between processes as control messages of the topic store beside the channel layer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from channels import telemetry
from channels.process.platforms import after_fork_in_child
from channels.topics.control import UnknownControl, WakeUp, decode_control, encode_control
from channels.topics.stores.base import Event, Store, StoreUnavailable
from channels.topics.stores.manager import get_store
from channels.wakeups.listeners import listeners

logger = logging.getLogger("channels.wakeups")

#: Seconds in which threads send nothing after the store did not answer: commits go on at their speed.
PAUSE: Final = 1.0


def spanning_store() -> Store | None:
    """Return the topic store beside the channel layer; None if it ends at the border of the process."""
    store = get_store()
    return store if getattr(store, "spans_processes", True) else None


class StoreReceiver:
    """Hears wake-ups of other processes in one event loop; a receiver of the store.

    Args:
        store: carries them.
        loop: where the store's connection belongs.
    """

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self.store, self.loop = store, loop
        self.users = 0
        self._pending: set[tuple[str, str]] = set()

    def received(self, topic: str, event: Event) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`; it subscribes to no topic."""

    def controlled(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        with contextlib.suppress(UnknownControl):
            control = decode_control(message)
            if isinstance(control, WakeUp) and control.origin != listeners.origin:
                listeners.wake(control.name, control.using)

    def interrupted(self) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        listeners.wake_all()

    def send_soon(self, name: str, using: str) -> bool:
        """Have the loop send a wake-up, once for all that are asked for meanwhile; False if it is closed."""
        key = (name, using)
        if key in self._pending:
            return True
        self._pending.add(key)
        try:
            self.loop.call_soon_threadsafe(self._send, key)
        except RuntimeError:
            return False
        return True

    def _send(self, key: tuple[str, str]) -> None:
        self._pending.discard(key)
        _send_in_task(self.store, self.loop, *key)


class ReceiverThread(threading.Thread):
    """An event loop of its own for a process that listens and has none."""

    def __init__(self, store: Store) -> None:
        super().__init__(name="channels-wakeups", daemon=True)
        self._store = store
        self._lock = threading.Lock()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def run(self) -> None:
        """Listen until :meth:`close`."""
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        release = receive_in_loop(self._store)
        with self._lock:
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            if self._ended:
                self._end.set()
        await self._end.wait()
        release()
        await self._store.aclose()

    def close(self) -> None:
        """End it soon."""
        with self._lock:
            self._ended = True
            if self._loop is not None and self._end is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._end.set)


class _Receivers:
    """What listens to the store in this process: a receiver per loop, or a thread for those without one."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with nothing."""
        self.lock = threading.Lock()
        self.by_loop: dict[tuple[asyncio.AbstractEventLoop, Store], StoreReceiver] = {}
        self.thread: ReceiverThread | None = None
        self.thread_users = 0
        self.silent_until = 0.0


_receivers: Final = _Receivers()
after_fork_in_child(_receivers.begin)


def receive(store: Store) -> Callable[[], None]:
    """Hear wake-ups through ``store``: in the running loop, or in a thread where there is none.

    Returns:
        A function that ends it, for any thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _receive_in_thread(store)
    return receive_in_loop(store)


def receive_in_loop(store: Store) -> Callable[[], None]:
    """Hear wake-ups in the running loop; returns what ends it."""
    loop = asyncio.get_running_loop()
    with _receivers.lock:
        receiver = _receivers.by_loop.get((loop, store))
        if receiver is None:
            receiver = _receivers.by_loop[loop, store] = StoreReceiver(store, loop)
            store.attach(receiver)
        receiver.users += 1
    return lambda: _release(receiver)


def _release(receiver: StoreReceiver) -> None:
    with _receivers.lock:
        receiver.users -= 1
        if receiver.users:
            return
        _receivers.by_loop.pop((receiver.loop, receiver.store), None)
    with contextlib.suppress(RuntimeError):  # the loop has ended, and all that was its
        receiver.loop.call_soon_threadsafe(receiver.store.detach, receiver)


def _receive_in_thread(store: Store) -> Callable[[], None]:
    with _receivers.lock:
        if _receivers.thread is None:
            _receivers.thread = ReceiverThread(store)
            _receivers.thread.start()
        _receivers.thread_users += 1
        thread = _receivers.thread
    return lambda: _leave_thread(thread)


def _leave_thread(thread: ReceiverThread) -> None:
    with _receivers.lock:
        if _receivers.thread is not thread:
            return
        _receivers.thread_users -= 1
        if _receivers.thread_users:
            return
        _receivers.thread = None
    thread.close()


def send(store: Store, name: str, using: str) -> None:
    """Wake other processes: by a loop that listens, by the running one, or else by this thread."""
    for receiver in list(_receivers.by_loop.values()):
        if receiver.store is store and not receiver.loop.is_closed() and receiver.send_soon(name, using):
            return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _send_from_thread(store, name, using)
    else:
        _send_in_task(store, loop, name, using)


def _send_from_thread(store: Store, name: str, using: str) -> None:
    if time.monotonic() < _receivers.silent_until:
        telemetry.count("wakeups.not_sent", reason="paused")
        return
    try:
        store.sync.broadcast(_message(name, using))
    except Exception as error:
        _receivers.silent_until = time.monotonic() + PAUSE
        not_sent(error)


_tasks: Final[set[asyncio.Task[None]]] = set()


def _send_in_task(store: Store, loop: asyncio.AbstractEventLoop, name: str, using: str) -> None:
    task = loop.create_task(_broadcast(store, name, using))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _broadcast(store: Store, name: str, using: str) -> None:
    try:
        await store.broadcast(_message(name, using))
    except Exception as error:
        not_sent(error)


def _message(name: str, using: str) -> bytes:
    return encode_control(WakeUp(listeners.origin, name, using))


def not_sent(error: Exception) -> None:
    """Count a wake-up that other processes will not hear; their slow poll finds what it was about."""
    if isinstance(error, StoreUnavailable):
        telemetry.count("wakeups.not_sent", reason="unavailable", error=str(error))
        return
    telemetry.count("wakeups.not_sent", reason="failed", error=repr(error))
    logger.warning("A wake-up could not be sent: %r", error)
