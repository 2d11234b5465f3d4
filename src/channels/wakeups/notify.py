"""Wake-ups between processes by PostgreSQL: NOTIFY after the commit, LISTEN on a connection of its own."""

from __future__ import annotations

import copy
import logging
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from channels import telemetry
from channels.process.platforms import after_fork_in_child
from channels.wakeups.listeners import listeners

logger = logging.getLogger("channels.wakeups")

#: What PostgreSQL calls a channel.
CHANNEL: Final = "channels_wakeups"
#: Seconds after which a connection on which nothing comes is asked whether it still is one.
IDLE: Final = 30.0
#: Seconds in which a connection that has notified does not do so again; who was woken looks again after them.
PAUSE: Final = 0.01
#: Seconds between two attempts to connect: the first, and the longest.
RETRY: Final = (0.5, 30.0)

# A notification makes the server write a record; nobody needs to wait until that is on the disk.
_NOTIFY: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"


def is_possible(using: str) -> bool:
    """Whether the database of this alias can notify."""
    return connections[using].vendor == "postgresql"


def send(name: str, using: str) -> None:
    """Notify the processes that listen, on this thread's connection, unless they are about to look again."""
    connection, now = connections[using], time.monotonic()
    pauses = _pauses.setdefault(connection, {})
    if now < pauses.get(name, 0.0):
        return
    with connection.cursor() as cursor:
        cursor.execute(_NOTIFY, [CHANNEL, f"{listeners.origin} {name}"])
    if not connection.in_atomic_block:  # else it has not left yet
        pauses[name] = now + PAUSE


# When a connection may notify again, by the name.
_pauses: Final[weakref.WeakKeyDictionary[BaseDatabaseWrapper, dict[str, float]]] = weakref.WeakKeyDictionary()


def receive(using: str) -> Callable[[], None]:
    """Hear wake-ups of a database in a thread, one for all who listen; returns what ends it."""
    with _threads.lock:
        thread = _threads.by_alias.get(using)
        if thread is None:
            thread = _threads.by_alias[using] = NotifyThread(using)
            thread.start()
        thread.users += 1
    return lambda: _leave(thread)


def _leave(thread: NotifyThread) -> None:
    with _threads.lock:
        thread.users -= 1
        if thread.users:
            return
        if _threads.by_alias.get(thread.using) is thread:
            del _threads.by_alias[thread.using]
    thread.close()


class NotifyThread(threading.Thread):
    """Listens to one database until it is closed, and connects again when it must.

    Args:
        using: the alias.

    Attributes:
        channel: of PostgreSQL's.
        users: how many listeners need it.
        listening: set while wake-ups would be heard.
    """

    channel = CHANNEL

    def __init__(self, using: str) -> None:
        super().__init__(name=f"channels-notify-{using}", daemon=True)
        self.using, self.users = using, 0
        self.listening = threading.Event()
        self._ended = threading.Event()
        self._wakeup, self._waker = socket.socketpair()
        self._again: dict[str, float] = {}

    def run(self) -> None:
        """Listen until :meth:`close`."""
        wait = RETRY[0]
        while not self._ended.is_set():
            try:
                self._listen()
            except Exception as error:
                telemetry.count("wakeups.notify_failed", error=repr(error))
                logger.warning("NOTIFY of the database %r is not heard: %s", self.using, error)
            wait = RETRY[0] if self.listening.is_set() else min(2 * wait, RETRY[1])
            self.listening.clear()
            self._ended.wait(wait)
        self._wakeup.close()

    def close(self) -> None:
        """End it; returns at once."""
        self._ended.set()
        self._waker.close()

    def _listen(self) -> None:
        connection = _own_connection(self.using)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {self.channel}")
            self.listening.set()
            self.began()
            while not self._ended.is_set():
                self._wait(connection)
        finally:
            connection.close()

    def _wait(self, connection: Any) -> None:
        raw = connection.connection
        timeout = min(self._again.values(), default=time.monotonic() + IDLE) - time.monotonic()
        is_readable = _is_readable(max(0.0, timeout), raw.fileno(), self._wakeup)
        if not is_readable and not self._again:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        self.heard(_payloads(raw))
        self._wake_again()

    def began(self) -> None:
        """Wake all: what was sent before this began to listen was missed."""
        listeners.wake_all(self.using)
        self._look_again(listeners.names(self.using))

    def heard(self, payloads: Iterable[str]) -> None:
        """Wake whoever is meant, once."""
        names = set()
        for payload in payloads:
            origin, _, name = payload.partition(" ")
            if origin != listeners.origin:
                names.add(name)
        for name in names:
            listeners.wake(name, self.using)
        self._look_again(names)

    def _look_again(self, names: Iterable[str]) -> None:
        self._again.update(dict.fromkeys(names, time.monotonic() + 1.5 * PAUSE))

    def _wake_again(self) -> None:
        """Wake those for whom more may have been written, of which nobody notified."""
        now = time.monotonic()
        for name in [name for name, due in self._again.items() if due <= now]:
            del self._again[name]
            listeners.wake(name, self.using)


def _is_readable(timeout: float, *files: int | socket.socket) -> bool:
    """Wait until one of them can be read, or for a time; servers have more files than select() takes."""
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        return bool(selector.select(timeout))


def _own_connection(using: str) -> BaseDatabaseWrapper:
    """Return a new connection that no pool has: LISTEN would pass to whoever borrows it next."""
    shared = connections[using]
    settings = copy.deepcopy(shared.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    settings["CONN_MAX_AGE"] = None
    return type(shared)(settings, alias=using)


def _payloads(raw: Any) -> Iterator[str]:
    """Return what has been notified, of psycopg 3 or psycopg2; raises OperationalError when it is closed."""
    if hasattr(raw, "pgconn"):
        raw.pgconn.consume_input()
        while (found := raw.pgconn.notifies()) is not None:
            yield found.extra.decode()
        return
    raw.poll()
    while raw.notifies:
        yield raw.notifies.pop(0).payload


class _Threads:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with nothing."""
        self.lock = threading.Lock()
        self.by_alias: dict[str, NotifyThread] = {}


_threads: Final = _Threads()
after_fork_in_child(_threads.begin)
