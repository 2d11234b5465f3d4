"""Many processes on one machine, nothing to install."""

from channels.layers.host.layer import HostChannelLayer

__all__ = ["HostChannelLayer"]
