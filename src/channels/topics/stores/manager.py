"""The one reader of the stores in the setting ``CHANNELS_TOPICS``."""

from __future__ import annotations

import threading
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from channels import DEFAULT_CHANNEL_LAYER
from channels.topics.stores.base import Store

#: The alias of the store of topics that name none.
DEFAULT_STORE: Final = "default"

#: The alias of a store that ends at the border of its process, whatever the setting says.
PROCESS_STORE: Final = "this process"
#: The alias of the store that the channel layer leads to, whatever the setting says.
BESIDE_LAYER: Final = "beside the channel layer"
#: The alias that there is by itself if the app is installed.
DATABASE_STORE: Final = "database"

_MEMORY: Final = "channels.topics.stores.memory.MemoryStore"
_HOST: Final = "channels.topics.stores.host.HostStore"
_REDIS: Final = "channels.topics.stores.redis.RedisStore"
_DATABASE: Final = {"BACKEND": "channels.journal.DatabaseStore"}

#: Which store stands beside a layer, and what it takes of the layer's CONFIG.
_BESIDE: Final = {
    "channels.layers.host.HostChannelLayer": (_HOST, ("path", "project")),
    "channels.layers.host.layer.HostChannelLayer": (_HOST, ("path", "project")),
    "channels_redis.core.RedisChannelLayer": (_REDIS, ("hosts",)),
    "channels_redis.pubsub.RedisPubSubChannelLayer": (_REDIS, ("hosts",)),
    "channels.layers.redis.RedisChannelLayer": (_REDIS, ("hosts",)),
    "channels.layers.redis.RedisPubSubChannelLayer": (_REDIS, ("hosts",)),
}

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
    configured = configured_stores()
    if apps.is_installed("channels.journal"):
        configured = {DATABASE_STORE: _DATABASE, **configured}
    return configured if DEFAULT_STORE in configured else {DEFAULT_STORE: _as_the_layer(), **configured}


def configured_stores() -> dict[str, Any]:
    """Return those of the aliases that the setting names."""
    configured: dict[str, Any] = (getattr(settings, "CHANNELS_TOPICS", None) or {}).get("STORES") or {}
    return configured


def _as_the_layer() -> dict[str, Any]:
    """Return a store that reaches as far as the project's channel layer: processes that meet there meet here.

    Raises:
        ImproperlyConfigured: the layer encrypts what it carries, which a store does not.
    """
    layer = (getattr(settings, "CHANNEL_LAYERS", None) or {}).get(DEFAULT_CHANNEL_LAYER) or {}
    backend, options = _BESIDE.get(layer.get("BACKEND", ""), (_MEMORY, ()))
    config = layer.get("CONFIG", {})
    if backend != _MEMORY and config.get("symmetric_encryption_keys"):
        raise ImproperlyConfigured(
            "CHANNEL_LAYERS encrypts its messages. Stores of topics do not, so that none follows these "
            "settings. Choose one in CHANNELS_TOPICS['STORES']['default']."
        )
    chosen = {name: config[name] for name in options if name in config}
    if backend == _REDIS and "prefix" in config:
        chosen["prefix"] = f"{config['prefix']}-topics"
    return {"BACKEND": backend, "CONFIG": chosen}


def _make(alias: str) -> Store:
    configured = store_settings()
    if alias == BESIDE_LAYER:
        configured = {alias: _as_the_layer()}
    elif alias == PROCESS_STORE:
        configured = {alias: {"BACKEND": _MEMORY}}
    if alias not in configured:
        hint = " Add 'channels.journal' to INSTALLED_APPS." if alias == DATABASE_STORE else ""
        raise ImproperlyConfigured(
            f"CHANNELS_TOPICS['STORES'] has no {alias!r}; it has {', '.join(sorted(configured))}.{hint}"
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
    if setting in ("CHANNELS_TOPICS", "CHANNEL_LAYERS"):
        _stores.clear()


setting_changed.connect(_forget)
