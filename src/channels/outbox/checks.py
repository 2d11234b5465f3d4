"""System checks of the outbox.

===================  =================================================  ==================
id                   what                                               when
===================  =================================================  ==================
channels_outbox.E001 CHANNELS_OUTBOX has a mistake                      always
channels_outbox.W001 dead letters wait for somebody to look at them     ``--database ...``
===================  =================================================  ==================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from channels.outbox.configuration import outbox_configuration
from channels.outbox.models import DurableMessage, HookCall, State


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for mistakes in the setting (E001)."""
    try:
        outbox_configuration()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="docs/reference/settings.md lists it.", id="channels_outbox.E001")]
    return []


def check_dead_letters(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Look for what was given up (W001)."""
    return [message for using in databases or () for message in _dead_letters(using)]


def _dead_letters(using: str) -> list[CheckMessage]:
    try:
        there = any(
            model._default_manager.using(using).filter(state=State.DEAD).exists()
            for model in (DurableMessage, HookCall)
        )
    except DatabaseError:  # not migrated: Django says so
        return []
    if not there:
        return []
    return [
        Warning(
            f"The outbox in the database {using!r} has dead letters: what was tried as often as it may be.",
            hint="`manage.py outbox list --dead` shows them; `retry` and `discard` say what becomes of them.",
            id="channels_outbox.W001",
        )
    ]
