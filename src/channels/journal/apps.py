"""The Django application ``channels.journal``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from channels.journal.checks import check_tables


class JournalConfig(AppConfig):
    """The tables of topics that are kept in a database."""

    name = "channels.journal"
    label = "channels_journal"
    verbose_name = "Topics in the database"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the check of the tables; it runs with ``check --database ALIAS``."""
        checks.register(check_tables, checks.Tags.database)
