"""The app ``channels.topics``."""

from __future__ import annotations

from django.apps import AppConfig

from channels.topics.registry import discover


class TopicsConfig(AppConfig):
    """Finds ``topics.py`` in the installed apps."""

    name = "channels.topics"
    label = "channels_topics"
    verbose_name = "Topics"

    def ready(self) -> None:
        """Import the topics of all apps."""
        discover()
