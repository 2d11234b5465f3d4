"""The store of each backend: one for the process, where Django has a backend object for each thread."""

from __future__ import annotations

import threading
from typing import Any, Final

from django.core.signals import setting_changed

from channels.tasks.definition.options import Options
from channels.tasks.stores.database import DatabaseStore
from channels.tasks.stores.memory import MemoryStore
from channels.tasks.stores.sql import SQLStore

_stores: Final[dict[tuple[str, str], SQLStore]] = {}
_lock = threading.Lock()


def store_for(alias: str, options: Options) -> SQLStore:
    """Return the store of the backend with an alias; it is made when it is first asked for.

    Raises:
        ImproperlyConfigured: its database is of a kind that it cannot use.
    """
    key = (alias, f"{options.store} {options.database}")
    store = _stores.get(key)
    if store is None:
        with _lock:
            store = _stores.get(key) or _stores.setdefault(key, _make(options))
    return store


def _make(options: Options) -> SQLStore:
    return MemoryStore() if options.store == "memory" else DatabaseStore(options.database)


def _forget(setting: str, **kwargs: Any) -> None:
    if setting in ("TASKS", "DATABASES"):
        _stores.clear()


setting_changed.connect(_forget, dispatch_uid="channels.tasks.stores")
