"""Which command lines start a program that needs our files; what is said then is in test_presence.py."""

from __future__ import annotations

import importlib
import sys

import pytest

from django_fairway import presence, runserver, start


@pytest.mark.parametrize(
    "words",
    [
        ["manage.py"],
        ["/srv/site/manage.py", "check"],
        [r"C:\site\manage.py"],
        ["-m", "django", "check"],
        ["/x/bin/daphne", "a:b"],
        [r"C:\x\Scripts\daphne.exe"],
        ["-X", "dev", "django-admin"],
    ],
)
def test_a_program_that_needs_our_files(words: list[str]) -> None:
    assert start.is_meant(words)


@pytest.mark.parametrize(
    "words", [[], ["script.py"], ["-c", "import daphne"], ["/srv/django/run.py"], ["my-manage.py"]]
)
def test_another_program(words: list[str]) -> None:
    assert not start.is_meant(words)


@pytest.mark.parametrize(
    ("words", "child", "seen"),
    [
        (["manage.py", "check"], False, ["warn"]),
        (["manage.py", "runserver"], False, ["warn", "watch"]),
        (["manage.py", "runserver"], True, []),
        (["script.py", "runserver"], False, []),
    ],
)
def test_what_is_looked_at(
    words: list[str], child: bool, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(presence, "warn", lambda: called.append("warn"))
    monkeypatch.setattr(runserver, "watch", lambda: called.append("watch"))
    monkeypatch.setattr(sys, "orig_argv", ["python", *words])
    monkeypatch.delenv("RUN_MAIN", raising=False)
    if child:
        monkeypatch.setenv("RUN_MAIN", "true")
    importlib.reload(start)
    assert called == seen
