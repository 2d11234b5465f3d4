"""The Django application ``channels``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from channels.access.signals import connect_signals
from channels.checks import (
    check_asgi_application,
    check_channel_layers,
    check_containers,
    check_distributions,
    check_logging,
    check_origin_validation,
    check_redis_hosts,
    check_runserver,
    check_topics_served,
    check_topics_settings,
)
from channels.conf import access_for_life, metrics
from channels.diagnostics.loggers import enable_loggers


class ChannelsConfig(AppConfig):
    """Registers our system checks."""

    name = "channels"
    verbose_name = "Channels"

    def ready(self) -> None:
        """Register the checks; those about deployment run with ``check --deploy``."""
        enable_loggers()
        if access_for_life():
            connect_signals()
        if metrics() is not None:
            from channels.observability.metrics.activation import arm

            arm()
        checks.register(check_asgi_application, "channels")
        checks.register(check_distributions, "channels")
        checks.register(check_runserver, "channels")
        checks.register(check_redis_hosts, "channels")
        checks.register(check_topics_served, "channels")
        checks.register(check_topics_settings, "channels")
        checks.register(check_logging, "channels")
        checks.register(check_origin_validation, "channels", deploy=True)
        checks.register(check_channel_layers, "channels", deploy=True)
        checks.register(check_containers, "channels", deploy=True)
