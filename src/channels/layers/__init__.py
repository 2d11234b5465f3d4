"""Channel layers: messages between consumers, wherever they run."""

from channels import DEFAULT_CHANNEL_LAYER
from channels.exceptions import ChannelFull, InvalidChannelLayerError
from channels.layers.base import BaseChannelLayer
from channels.layers.manager import ChannelLayerManager, channel_layers, get_channel_layer
from channels.layers.memory import InMemoryChannelLayer

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "BaseChannelLayer",
    "ChannelFull",
    "ChannelLayerManager",
    "InMemoryChannelLayer",
    "InvalidChannelLayerError",
    "channel_layers",
    "get_channel_layer",
]
