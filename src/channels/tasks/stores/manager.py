"""The store of each backend: one for the process, where Django has a backend object for each thread."""

from __future__ import annotations

import threading
from typing import Any, Final

from django.core.signals import setting_changed

from channels.tasks.definition.options import Options
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.database import DatabaseStore
from channels.tasks.stores.memory import MemoryStore

_stores: Final[dict[tuple[str, str], TaskStore]] = {}
_lock = threading.Lock()


def store_for(alias: str, options: Options) -> TaskStore:
    """Return the store of the backend with an alias; it is made when it is first asked for.

    Raises:
        ImproperlyConfigured: its database is of a kind that it cannot use.
    """
    key = (alias, f"{options.store} {options.database} {options.hosts!r} {options.prefix}")
    store = _stores.get(key)
    if store is None:
        with _lock:
            store = _stores.get(key) or _stores.setdefault(key, _make(options))
    return store


def _make(options: Options) -> TaskStore:
    if options.store == "redis":
        from channels.tasks.stores.redis.store import RedisStore  # only where it is used: it imports redis-py

        return RedisStore(options.hosts, options.prefix)
    return MemoryStore() if options.store == "memory" else DatabaseStore(options.database)


def _forget(setting: str, **kwargs: Any) -> None:
    if setting in ("TASKS", "DATABASES"):
        _stores.clear()


setting_changed.connect(_forget, dispatch_uid="channels.tasks.stores")
