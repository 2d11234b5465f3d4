"""What is raised when Redis does not answer, as a store of topics says it."""

from __future__ import annotations

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.topics.stores.base import StoreUnavailable


def store_unavailable(error: RedisUnavailable) -> StoreUnavailable:
    """Return the error of a store; the layer's names the setting of the layer."""
    return StoreUnavailable(str(error).replace("(CHANNEL_LAYERS, CONFIG)", "(CHANNELS_TOPICS, STORES)"))
