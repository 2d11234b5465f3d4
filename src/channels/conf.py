"""Our Django settings, read in one place and late: tests change them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

#: Threads for sync code, at most.
THREADS: Final = 64
#: Seconds that a page waits for a thread, and that every thread may be held.
THREAD_WAIT: Final = 30.0
#: Seconds after which a handler that still holds its thread is logged.
SLOW_HANDLER: Final = 10.0
#: Seconds between two checks whether users may keep their connections.
ACCESS_INTERVAL: Final = 1.0
#: Environment variables that turn metrics on, and say where figures meet; and what readers have to show.
METRICS_DIRECTORY: Final = "CHANNELS_METRICS_DIR"
METRICS_TOKEN: Final = "CHANNELS_METRICS_TOKEN"  # noqa: S105  # its name
#: Whose database connections an application under test uses; the first is the default.
TEST_DATABASES: Final = ("shared", "own")


def threads() -> int:
    """Return how many threads sync code gets at most (setting ``CHANNELS_THREADS``).

    A thread is started when those that run do not suffice, and ends when it has been idle for a
    minute. By default there are 64 at most.

    Raises:
        ImproperlyConfigured: the setting is no whole number above zero.
    """
    number = _get("CHANNELS_THREADS", None)
    if number is None:
        return THREADS
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ImproperlyConfigured(
            f"CHANNELS_THREADS is {number!r}. Set it to a whole number above zero, or leave it out."
        )
    return number


def slow_handler() -> float | None:
    """Return after how many seconds in a thread a handler is logged (setting ``CHANNELS_SLOW_HANDLER``).

    10 by default; None or 0: never.

    Raises:
        ImproperlyConfigured: the setting is no number of seconds.
    """
    seconds = _get("CHANNELS_SLOW_HANDLER", SLOW_HANDLER)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ImproperlyConfigured(
            f"CHANNELS_SLOW_HANDLER is {seconds!r}. Set it to a number of seconds, or to None for no log."
        )
    return float(seconds) or None


def idle_connections() -> int | None:
    """Return how many database connections threads may keep (setting ``CHANNELS_IDLE_DATABASE_CONNECTIONS``).

    The limit holds for those that sync code has opened and that are idle. None, the default, means as many as
    there are threads.

    Raises:
        ImproperlyConfigured: the setting is no number.
    """
    number: int | None = _get("CHANNELS_IDLE_DATABASE_CONNECTIONS", None)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
        raise ImproperlyConfigured(
            f"CHANNELS_IDLE_DATABASE_CONNECTIONS is {number!r}. Set it to a number, or None for no limit."
        )
    return number


def database_in_tests() -> str:
    """Return whose connections an application under test uses (setting ``CHANNELS_TEST_DATABASE``).

    "shared", the default: those on which the test has a transaction open, so that it sees the test's
    rows, and what waits for a commit waits for the test's. "own": those of its threads, as with
    Channels 4: it commits for itself, and neither sees the other's uncommitted rows.

    Raises:
        ImproperlyConfigured: the setting is neither.
    """
    whose = _get("CHANNELS_TEST_DATABASE", TEST_DATABASES[0])
    if whose not in TEST_DATABASES:
        raise ImproperlyConfigured(
            f'CHANNELS_TEST_DATABASE is {whose!r}. Set it to "shared" (the application under test shares the '
            'transaction of the test) or to "own" (its database code has connections of its own).'
        )
    return str(whose)


def thread_wait() -> float:
    """Return how many seconds a page waits for a thread (setting ``CHANNELS_THREAD_WAIT``); 30 by default.

    It is also the time for which every thread may be held before the process says that it is not
    healthy, and answers new pages with 503 at once.

    Raises:
        ImproperlyConfigured: the setting is no number of seconds above zero.
    """
    seconds = _get("CHANNELS_THREAD_WAIT", THREAD_WAIT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        raise ImproperlyConfigured(
            f"CHANNELS_THREAD_WAIT is {seconds!r}. Set it to a number of seconds above zero, or leave it out."
        )
    return float(seconds)


@dataclass(frozen=True, slots=True)
class Metrics:
    """How metrics are kept.

    Attributes:
        directory: where the figures of all processes meet; "" for one by the project's directory.
        token: what readers have to show; "" for none, so that only this machine may read.
    """

    directory: str = ""
    token: str = ""


def metrics() -> Metrics | None:
    """Return how metrics are kept (setting ``CHANNELS_METRICS``); None, the default: not at all.

    The environment goes before: :data:`METRICS_DIRECTORY` turns them on, :data:`METRICS_TOKEN` has the token.

    Raises:
        ImproperlyConfigured: the setting is neither True nor a dict with DIRECTORY and TOKEN.
    """
    found = _get("CHANNELS_METRICS", None)
    directory = os.environ.get(METRICS_DIRECTORY, "")
    if found in (None, False):
        found = {}
        if not directory:
            return None
    given = {} if found is True else found
    if not (isinstance(given, Mapping) and set(given) <= {"DIRECTORY", "TOKEN"}):
        raise ImproperlyConfigured(
            f"CHANNELS_METRICS is {type(found).__name__}. Set it to True, or to a dict that has nothing but "
            "DIRECTORY and TOKEN, or leave it out."
        )
    token = os.environ.get(METRICS_TOKEN) or str(given.get("TOKEN") or "")
    return Metrics(directory or str(given.get("DIRECTORY") or ""), token)


def access_interval() -> float:
    """Return how often it is checked whether users may stay (setting ``CHANNELS_ACCESS_INTERVAL``).

    It is a number of seconds, 1 by default. With more than 2,000 connections of users in an event loop
    a check of all of them takes longer.

    Raises:
        ImproperlyConfigured: the setting is no number of seconds above zero.
    """
    seconds = _get("CHANNELS_ACCESS_INTERVAL", ACCESS_INTERVAL)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        raise ImproperlyConfigured(
            f"CHANNELS_ACCESS_INTERVAL is {seconds!r}. Set it to a number of seconds above zero."
        )
    return float(seconds)


@cache
def access_for_life() -> bool:
    """Return whether sockets of consumers end with the right to them (setting ``CHANNELS_ACCESS_FOR_LIFE``).

    False by default. It is asked for each connection, and so read once; again when a test changes it.
    """
    return bool(_get("CHANNELS_ACCESS_FOR_LIFE", False))


@receiver(setting_changed)
def _forget(setting: str, **kwargs: Any) -> None:
    if setting == "CHANNELS_ACCESS_FOR_LIFE":
        access_for_life.cache_clear()


def _get(name: str, default: Any) -> Any:
    """Read a setting; without any settings, as in an application that only borrows us, the default holds."""
    try:
        return getattr(settings, name, default)
    except ImproperlyConfigured:
        return default
