"""The Django app ``daphne``: its ``runserver`` speaks ASGI."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from channels.diagnostics.loggers import enable_loggers
from daphne.checks import check_daphne_installed


class DaphneConfig(AppConfig):
    """Registers the check of the order of the apps."""

    name = "daphne"
    verbose_name = "Daphne"

    def ready(self) -> None:
        """Register the check."""
        enable_loggers()
        checks.register(check_daphne_installed, checks.Tags.staticfiles)
