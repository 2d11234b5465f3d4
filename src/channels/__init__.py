"""Real time for Django: consumers, routing, layers, sessions, auth and an ASGI server."""

__version__ = "4.3.2"

DEFAULT_CHANNEL_LAYER = "default"
