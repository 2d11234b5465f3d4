"""The app's configuration."""

from django.apps import AppConfig


class RoomsConfig(AppConfig):
    """Rooms, their pages and their WebSocket."""

    name = "rooms"
