"""How far layers reach: a layer in memory ends at the border of its process."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels.layers.manager import channel_layers
from channels.layers.memory import InMemoryChannelLayer

logger = logging.getLogger("channels.layers")


def layers_in_memory() -> list[str]:
    """Return the aliases of the configured layers that end at the border of their process."""
    return [alias for alias, config in channel_layers.configs.items() if _is_in_memory(config)]


def _is_in_memory(config: Any) -> bool:
    try:
        backend = import_string(config["BACKEND"])
    except (ImportError, KeyError):
        return False
    return isinstance(backend, type) and issubclass(backend, InMemoryChannelLayer)


def warn_worker(alias: str) -> None:
    """Say, in a process that takes messages of a layer and serves nobody, that none will come."""
    if alias in layers_in_memory():
        logger.warning(
            "The channel layer %r is in memory, so this worker gets nothing that other processes send. Use "
            "'channels.layers.host.HostChannelLayer' (one machine) or "
            "'channels_redis.core.RedisChannelLayer' in CHANNEL_LAYERS.",
            alias,
        )


def warn_of_several_processes() -> None:
    """Say once, in a process that is one of several, which layers do not reach the others."""
    try:
        inside = layers_in_memory()
    except ImproperlyConfigured:
        return  # no settings, no layers
    if inside:
        logger.warning(
            "The channel layer of %s is in memory, and there are several workers: a message reaches the "
            "sockets of the worker that sends it, and nobody else. Use "
            "'channels.layers.host.HostChannelLayer' (one machine) or "
            "'channels_redis.core.RedisChannelLayer' in CHANNEL_LAYERS.",
            ", ".join(map(repr, inside)),
        )
