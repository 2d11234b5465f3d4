"""System checks of the app ``daphne``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error


def check_daphne_installed(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """daphne.E001: of two apps with a ``runserver`` Django takes the first; that must be ours."""
    names = [config.name for config in apps.get_app_configs()]
    places = [names.index(name) for name in ("daphne", "django.contrib.staticfiles") if name in names]
    if places == sorted(places):
        return []
    return [
        Error(
            "Daphne must be listed before django.contrib.staticfiles in INSTALLED_APPS.",
            hint="Move 'daphne' up, best to the first place; else runserver knows no WebSockets.",
            id="daphne.E001",
        )
    ]
