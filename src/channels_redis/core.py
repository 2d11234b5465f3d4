"""The Redis layer under its usual name."""

from channels.layers.redis.layer import RedisChannelLayer

__all__ = ["RedisChannelLayer"]
