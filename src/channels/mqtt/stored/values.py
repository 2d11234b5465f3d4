"""Where sessions and claims are stored."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from channels.topics.stores.manager import BESIDE_LAYER, get_store
from channels.topics.stores.values import KeepsValues, Values


def session_values() -> Values:
    """Return where sessions are stored: beside the topics, or where their layer leads to."""
    store = get_store()
    if not isinstance(store, KeepsValues):
        store = get_store(BESIDE_LAYER)
    if not isinstance(store, KeepsValues):
        raise ImproperlyConfigured(
            "Sessions of MQTT need a store with values: in memory, on the host, or Redis."
        )
    return store.values
