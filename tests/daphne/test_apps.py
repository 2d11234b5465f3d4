"""What the app ``daphne`` does when Django is ready."""

from __future__ import annotations

import logging

import pytest
from django.apps import apps
from django.core import checks
from django.test import override_settings

from daphne.checks import check_daphne_installed


@override_settings(INSTALLED_APPS=["daphne"])
def test_its_name_and_its_check() -> None:
    app = apps.get_app_config("daphne")
    assert app.verbose_name == "Daphne"
    assert check_daphne_installed in checks.registry.registry.get_checks()
    assert "staticfiles" in getattr(check_daphne_installed, "tags")  # noqa: B009


def test_loggers_are_enabled_that_a_project_has_disabled_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logger = logging.getLogger("django.channels.server")
    monkeypatch.setattr(logger, "disabled", True)
    with override_settings(INSTALLED_APPS=["daphne"]):
        apps.get_app_config("daphne").ready()
    assert not logger.disabled
