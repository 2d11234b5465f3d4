"""The app ``channels.live``."""

from __future__ import annotations

from django.apps import AppConfig

from channels.live.capture.statements import watch_statements
from channels.live.serving.node import serve_live_queries


class LiveConfig(AppConfig):
    """Sees what changes in the database, and serves live queries."""

    name = "channels.live"
    label = "channels_live"
    verbose_name = "Live queries"

    def ready(self) -> None:
        """Watch what Django's compilers execute."""
        watch_statements()
        serve_live_queries()
