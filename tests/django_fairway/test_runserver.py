"""A line for a project whose ``runserver`` would serve WSGI; that it is printed is in test_presence.py."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from django_fairway import runserver

COMMAND = "django.core.management.commands.runserver"


def settings(*apps: str, application: str | None = "site.asgi.application") -> Any:
    return SimpleNamespace(INSTALLED_APPS=[*apps], ASGI_APPLICATION=application)


@pytest.fixture(autouse=True)
def finders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "orig_argv", ["python", "manage.py", "runserver"])


def found(name: str) -> None:
    """What an import of a module does first."""
    sys.meta_path[0].find_spec(name, None)


def test_a_project_with_an_application_and_none_of_our_apps_is_told() -> None:
    said = runserver.advice(settings("django.contrib.auth", "chat"))
    assert "ASGI_APPLICATION is 'site.asgi.application'" in said
    assert "Add 'daphne' to INSTALLED_APPS" in said


@pytest.mark.parametrize(
    "project",
    [
        settings("daphne"),
        settings("daphne.apps.DaphneConfig"),
        settings("channels", "chat"),
        settings("chat", application=None),
        SimpleNamespace(INSTALLED_APPS=["chat"]),
    ],
)
def test_another_project_is_told_nothing(project: Any) -> None:
    assert runserver.advice(project) == ""


def test_it_is_said_when_the_command_is_imported_and_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace(settings=settings("chat")))
    before = [*sys.meta_path]
    runserver.watch()
    found("another.module")
    assert capsys.readouterr().err == ""
    found(COMMAND)
    assert "'daphne' is missing from INSTALLED_APPS" in capsys.readouterr().err
    assert sys.meta_path == before


def test_who_asks_for_djangos_own_server_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace(settings=settings("chat")))
    monkeypatch.setattr(sys, "orig_argv", ["python", "manage.py", "runserver", "--noasgi"])
    runserver.watch()
    found(COMMAND)
    assert capsys.readouterr().err == ""


def test_settings_that_cannot_be_read_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace())
    runserver.watch()
    found(COMMAND)
    assert capsys.readouterr().err == ""
    assert importlib.util.find_spec(COMMAND) is not None
