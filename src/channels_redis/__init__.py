"""The names of channels_redis 4.3, on Fairway's Redis backend."""

__version__ = "4.3.0"
