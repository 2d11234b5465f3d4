"""The publish/subscribe layer under its usual name, and what others import from beside it."""

import logging

from channels.core.absent import explain_absent
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels_redis.serializers import registry
from channels_redis.utils import _close_redis, _consistent_hash, _wrap_close, create_pool, decode_hosts

__all__ = [
    "RedisPubSubChannelLayer",
    "_close_redis",
    "_consistent_hash",
    "_wrap_close",
    "create_pool",
    "decode_hosts",
    "logger",
    "registry",
]

logger = logging.getLogger("channels_redis.pubsub")

_REMEDY = (
    "a layer has no object for each event loop or host to be replaced. Extend the layer's public methods; "
    "the connection_class of a host, or its options, say how to connect."
)
#: Absent names of the original, with what to use.
ABSENT = dict.fromkeys(("RedisPubSubLoopLayer", "RedisSingleShardConnection", "_async_proxy"), _REMEDY)
explain_absent(__name__, ABSENT)
