"""The app ``channels.outbox``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started

from channels.layers import durable
from channels.process import serving


class OutboxConfig(AppConfig):
    """Gives the layers ``durable``, and runs the relay in each process that serves."""

    name = "channels.outbox"
    label = "channels_outbox"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say what writes durable messages, and what is to run while a process serves."""
        from channels.outbox.checks import check_dead_letters, check_settings
        from channels.outbox.messages import durable_messages_of
        from channels.outbox.relay.relays import start_relays, stop_relays

        durable.provide(durable_messages_of)
        serving.when_serving(start_relays, stop_relays)
        request_started.connect(_serves, dispatch_uid="channels.outbox")
        checks.register(check_settings, "channels")
        checks.register(check_dead_letters, checks.Tags.database)


def _serves(sender: type, **kwargs: Any) -> None:
    """A server called Django; a test's client is another handler."""
    if issubclass(sender, WSGIHandler | ASGIHandler):
        request_started.disconnect(dispatch_uid="channels.outbox")  # no more work for each request
        serving.announce()
