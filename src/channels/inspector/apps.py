"""The app ``channels.inspector``."""

from __future__ import annotations

from typing import Final

import msgspec
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from channels.diagnostics import delivery_log
from channels.inspector.settings import contents_allowed
from channels.process import serving
from channels.server.asgi.inspection import keep_endings

#: How many closed connections a process remembers.
ENDINGS: Final = 200
#: How many things that have happened to messages a process remembers.
ENTRIES: Final = 2_000


class InspectorConfig(AppConfig):
    """Makes each process that serves or works a member of the fleet."""

    name = "channels.inspector"
    label = "channels_inspector"
    verbose_name = _("Inspector")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Join when this process begins to serve, or to work."""
        from channels.observability.fleet import current  # needs models
        from channels.observability.fleet.facts.connections import only_looks

        keep_endings(ENDINGS, only_looks)
        delivery_log.keep(ENTRIES, contents_allowed(), msgspec.msgpack.Encoder().encode)
        serving.when_working(current.join, current.leave)
