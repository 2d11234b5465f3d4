"""The Redis layer under its usual name, and what others import from beside it."""

import logging

from channels.core.absent import explain_absent
from channels.exceptions import ChannelFull
from channels.layers.base import BaseChannelLayer
from channels.layers.redis.layer import RedisChannelLayer
from channels_redis.serializers import registry
from channels_redis.utils import _close_redis, _consistent_hash, _wrap_close, create_pool, decode_hosts

__all__ = [
    "BaseChannelLayer",
    "ChannelFull",
    "RedisChannelLayer",
    "_close_redis",
    "_consistent_hash",
    "_wrap_close",
    "create_pool",
    "decode_hosts",
    "logger",
    "registry",
]

logger = logging.getLogger("channels_redis.core")

_REMEDY = (
    "messages do not pass through queues and locks of the layer, and its connections are shared. Extend the "
    "layer's public methods; the connection_class of a host, or its options, say how to connect."
)
#: Absent names of the original, with what to use.
ABSENT = dict.fromkeys(("BoundedQueue", "ChannelLock", "RedisLoopLayer"), _REMEDY)
explain_absent(__name__, ABSENT)
