"""What others import from channels_redis 4.3 beside its layers."""

from channels.layers.redis.hosts.addresses import shard_of as _consistent_hash
from channels.layers.redis.hosts.pools import close_redis as _close_redis
from channels.layers.redis.hosts.pools import create_pool
from channels.layers.redis.hosts.pools import wrap_close as _wrap_close
from channels.layers.redis.hosts.setting import decode_hosts

__all__ = ["_close_redis", "_consistent_hash", "_wrap_close", "create_pool", "decode_hosts"]
