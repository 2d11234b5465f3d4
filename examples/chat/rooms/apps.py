"""The app's configuration."""

from django.apps import AppConfig


class RoomsConfig(AppConfig):
    """Rooms, their pages and their WebSocket."""

    name = "rooms"
    default_auto_field = "django.db.models.BigAutoField"
