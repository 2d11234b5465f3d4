"""Channel layers: messages between consumers, wherever they run.

``base.py`` is the contract of every backend, ``names.py`` the grammar of names, ``serializers.py`` what
travels and as which bytes, ``manager.py`` the one reader of the setting ``CHANNEL_LAYERS``. ``local/``
delivers inside one process and is shared by the backends: ``memory.py``, ``host/`` (one machine) and
``redis/`` (many). They are siblings: none imports another, and each only carries messages between
processes.

Projects may subclass a layer and give any name to methods of their own. So what works for a layer is no
part of its class but an engine beside it (``engine.py``), which consumers and workers use directly; a
layer that replaces ``receive``, or one of somebody else's, is polled instead.

Imports go down, see the contracts in ``pyproject.toml``. What a backend promises is tested for all of
them by the suite in ``channels.testing``.
"""

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
