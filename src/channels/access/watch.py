"""The connections of an event loop, and whether they still have their right."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import threading
import weakref
from collections.abc import Coroutine, Iterable, Iterator
from enum import IntEnum
from typing import Any, Final, Protocol

from channels import conf, telemetry
from channels.access import announcements
from channels.access.announcements import Change
from channels.access.check import Verdict, check
from channels.access.credentials import Credentials, Reason, digest_of
from channels.db import database_sync_to_async
from channels.sync.context import OWN_VARIABLES, enter_context, exit_context

logger = logging.getLogger("channels.security")

#: Connections that are checked by one query, and seconds between two of these.
AT_ONCE: Final = 1_000
PAUSE: Final = 0.5
#: Seconds in which announcements are collected before they are looked into.
GATHER: Final = 0.05
#: What a thread needs to know to serve a check as it would a connection.
_SCOPE: Final = {"type": "channels.access", "asgi": {}}


class Watched(Protocol):
    """A connection that is watched."""

    @property
    def credentials(self) -> Credentials:
        """What its right rests on."""

    def access_ended(self, reason: Reason) -> None:
        """The right is gone; it is watched no more."""

    def user_changed(self, user: Any, permissions: bool) -> None:
        """The user is still the same, but something about them, or maybe their permissions, has changed."""


class _News(IntEnum):
    """What is known about a user before they are looked up."""

    NONE = 0  # the connection hears only of what has changed
    USER = 1  # it wants them anew, as what they have looked up themselves may be old
    PERMISSIONS = 2  # these may have changed


class Watcher:
    """Watches the connections of one event loop.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._contexts: dict[Watched, contextvars.Context] = {}
        self._of_user: dict[str, dict[Watched, None]] = {}
        self._of_session: dict[str, dict[Watched, None]] = {}
        self._due: dict[Watched, _News] = {}
        self._checked: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._checking = False

    def add(self, connection: Watched) -> None:
        """Watch a connection; called in its context."""
        credentials = connection.credentials
        self._contexts[connection] = contextvars.copy_context()
        self._of_user.setdefault(credentials.user_id, {})[connection] = None
        if credentials.session_key:
            digest = digest_of(credentials.session_key)
            self._of_session.setdefault(digest, {})[connection] = None
        self._arm()

    def discard(self, connection: Watched) -> None:
        """Watch it no more."""
        if self._contexts.pop(connection, None) is not None:
            self._due.pop(connection, None)
            credentials = connection.credentials
            _discard(self._of_user, credentials.user_id, connection)
            if credentials.session_key:
                _discard(self._of_session, digest_of(credentials.session_key), connection)
            if not self._contexts and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def hear(self, change: Change) -> None:
        """Look into a change; called in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._heard, change)
        except RuntimeError:
            logger.debug("A loop that is closed watches nobody.")

    async def refresh(self, connections: Iterable[Watched]) -> None:
        """Check these connections now, together with all others that are due; each gets its user anew."""
        self._look_into([each for each in connections if each in self._contexts], _News.USER)
        if self._checked is not None:
            await asyncio.shield(self._checked)

    def _heard(self, change: Change) -> None:
        if change.session:
            for connection in list(self._of_session.get(change.session, ())):
                self._end(connection, Reason.LOGGED_OUT)
        else:
            concerned = self._of_user.get(change.user, ()) if change.user else self._contexts
            self._look_into(concerned, _News.PERMISSIONS if change.permissions else _News.NONE)

    def _look_into(self, connections: Iterable[Watched], news: _News) -> None:
        for connection in connections:
            self._due[connection] = max(news, self._due.get(connection, news))
        if self._due and self._checked is None:
            self._checked = self._loop.create_future()
            self._start(self._check_due(self._checked))

    async def _check_due(self, checked: asyncio.Future[None]) -> None:
        await asyncio.sleep(GATHER)
        self._checked = None
        due, self._due = self._due, {}
        try:
            for batch in _batches(due):
                await self._check(batch, due)
        finally:
            checked.set_result(None)

    def _arm(self) -> None:
        """Check everything after a while, if there is anything."""
        if self._contexts and self._timer is None and not self._checking:
            self._timer = self._loop.call_later(conf.access_interval(), self._begin)

    def _begin(self) -> None:
        self._timer, self._checking = None, True
        self._start(self._check_all())

    async def _check_all(self) -> None:
        try:
            for number, batch in enumerate(_batches(self._contexts)):
                if number:
                    await asyncio.sleep(PAUSE)
                await self._check(batch, {})
        finally:
            self._checking = False
            self._arm()

    async def _check(self, connections: list[Watched], news: dict[Watched, _News]) -> None:
        for alike in self._alike(connections):
            try:
                verdicts = await self._ask(alike)
            except Exception as error:
                telemetry.count("security.access_check_failed", error=repr(error))
                logger.warning("Whether %d connections may stay cannot be checked: %r", len(alike), error)
                continue
            for connection, verdict in zip(alike, verdicts, strict=True):
                if connection in self._contexts:
                    self._judge(connection, verdict, news.get(connection, _News.NONE))

    def _alike(self, connections: list[Watched]) -> list[list[Watched]]:
        """Group connections by their context variables: a project may route its queries by them."""
        groups: dict[Any, list[Watched]] = {}
        for connection in connections:
            context = self._contexts.get(connection)
            if context is not None:
                groups.setdefault(_surroundings(context), []).append(connection)
        return list(groups.values())

    async def _ask(self, connections: list[Watched]) -> list[Verdict]:
        """Check in a thread, in the context of the first of connections whose contexts are alike."""
        asked = [connection.credentials for connection in connections]
        context = contextvars.Context()
        for variable, value in self._contexts[connections[0]].items():
            if variable not in OWN_VARIABLES:
                context.run(variable.set, value)
        return await context.run(self._loop.create_task, _check_in_thread(asked))

    def _judge(self, connection: Watched, verdict: Verdict, news: _News) -> None:
        if verdict.reason is not None:
            self._end(connection, verdict.reason)
        elif news or _differ(connection.credentials.user, verdict.user):
            connection.user_changed(copy.copy(verdict.user), news is _News.PERMISSIONS)

    def _end(self, connection: Watched, reason: Reason) -> None:
        telemetry.count("security.access_ended", reason=reason.value)
        self.discard(connection)
        connection.access_ended(reason)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in a context of its own, not in that of the connection that is being served."""
        task = contextvars.Context().run(self._loop.create_task, coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _check_in_thread(asked: list[Credentials]) -> list[Verdict]:
    connection = enter_context(_SCOPE)
    try:
        return await database_sync_to_async(check)(asked)
    finally:
        exit_context(connection)


def _surroundings(context: contextvars.Context) -> frozenset[tuple[Any, int]]:
    return frozenset(
        (variable, id(value)) for variable, value in context.items() if variable not in OWN_VARIABLES
    )


def _differ(before: Any, now: Any) -> bool:
    """Whether something about a user has changed, beside when they logged in last."""
    known = before.__dict__
    names = [field.attname for field in now._meta.concrete_fields if field.name != "last_login"]
    return any(known[name] != now.__dict__.get(name) for name in names if name in known)


def _discard(index: dict[str, dict[Watched, None]], key: str, connection: Watched) -> None:
    members = index.get(key)
    if members is not None:
        members.pop(connection, None)
        if not members:
            del index[key]


def _batches(connections: Iterable[Watched]) -> Iterator[list[Watched]]:
    every = list(connections)
    for first in range(0, len(every), AT_ONCE):
        yield every[first : first + AT_ONCE]


_watchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Watcher] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def running_watcher() -> Watcher:
    """Return the watcher of the running loop."""
    loop = asyncio.get_running_loop()
    watcher = _watchers.get(loop)
    if watcher is None:
        with _lock:
            for closed in [each for each in _watchers if each.is_closed()]:
                del _watchers[closed]
            watcher = _watchers[loop] = Watcher(loop)
        announcements.receive_announcements()
    return watcher


def _tell_all(change: Change) -> None:
    with _lock:
        watchers = list(_watchers.values())
    for watcher in watchers:
        watcher.hear(change)


announcements.listen(_tell_all)
