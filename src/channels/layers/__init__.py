"""Channel layers: messages between consumers, wherever they run."""

from channels.layers.base import BaseChannelLayer
from channels.layers.manager import ChannelLayerManager, channel_layers, get_channel_layer
from channels.layers.memory import InMemoryChannelLayer

__all__ = [
    "BaseChannelLayer",
    "ChannelLayerManager",
    "InMemoryChannelLayer",
    "channel_layers",
    "get_channel_layer",
]
