"""The order of the apps."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from daphne.checks import check_daphne_installed

REST = ["django.contrib.auth", "django.contrib.contenttypes"]


@pytest.mark.parametrize(
    ("installed", "ids"),
    [
        (["daphne", "django.contrib.staticfiles"], []),
        (["django.contrib.staticfiles", "daphne"], ["daphne.E001"]),
        (["daphne"], []),
        (["django.contrib.staticfiles"], []),
    ],
)
def test_daphne_stands_before_staticfiles(installed: list[str], ids: list[str]) -> None:
    with override_settings(INSTALLED_APPS=installed):
        assert [error.id for error in check_daphne_installed()] == ids


def test_the_app_registers_the_check() -> None:
    with override_settings(INSTALLED_APPS=[*REST, "django.contrib.staticfiles", "daphne"]):
        assert "daphne.E001" in [message.id for message in run_checks()]
