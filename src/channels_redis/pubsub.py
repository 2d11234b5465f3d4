"""The publish/subscribe layer under its usual name."""

from channels.layers.redis.pubsub import RedisPubSubChannelLayer

__all__ = ["RedisPubSubChannelLayer"]
