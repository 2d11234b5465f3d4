"""The one reader of the stores in the setting ``CHANNELS_TOPICS``."""

from __future__ import annotations

import threading
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from channels.topics.stores.base import Store

#: The alias of the store of topics that name none.
DEFAULT_STORE: Final = "default"

_stores: dict[str, Store] = {}
_lock = threading.Lock()


def get_store(alias: str = DEFAULT_STORE) -> Store:
    """Return the store with this alias; it is made when it is first asked for.

    Raises:
        ImproperlyConfigured: the setting has no such store, or it cannot be made.
    """
    store = _stores.get(alias)
    if store is None:
        with _lock:
            store = _stores.get(alias) or _stores.setdefault(alias, _make(alias))
    return store


def stores_in_use() -> list[Store]:
    """Return the stores that were made."""
    return list(_stores.values())


def set_store(alias: str, store: Store | None) -> Store | None:
    """Use ``store`` under this alias (for tests), or a new one if it is None; returns the one before."""
    with _lock:
        before = _stores.pop(alias, None)
        if store is not None:
            _stores[alias] = store
    return before


def store_settings() -> dict[str, Any]:
    """Return the aliases and how each store is made: ``{"BACKEND": path, "CONFIG": {...}}``."""
    configured: dict[str, Any] = (getattr(settings, "CHANNELS_TOPICS", None) or {}).get("STORES") or {}
    return {DEFAULT_STORE: {"BACKEND": "channels.topics.stores.memory.MemoryStore"}, **configured}


def _make(alias: str) -> Store:
    configured = store_settings()
    if alias not in configured:
        raise ImproperlyConfigured(
            f"CHANNELS_TOPICS['STORES'] has no {alias!r}; it has {', '.join(sorted(configured))}."
        )
    backend = configured[alias].get("BACKEND")
    try:
        store: Store = import_string(backend)(**configured[alias].get("CONFIG", {}))
    except (ImportError, TypeError, AttributeError) as error:
        raise ImproperlyConfigured(
            f"CHANNELS_TOPICS['STORES'][{alias!r}] cannot be made from {backend!r}: {error}."
        ) from error
    return store


def _forget(setting: str, **kwargs: Any) -> None:
    if setting == "CHANNELS_TOPICS":
        _stores.clear()


setting_changed.connect(_forget)
