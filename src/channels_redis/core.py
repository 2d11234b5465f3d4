"""The Redis layer under its usual name, and what others import from beside it."""

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
    "registry",
]
