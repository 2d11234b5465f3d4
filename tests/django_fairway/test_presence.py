"""What is missing is said, from outside of what may be missing; and it costs other programs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from django_fairway import presence
from django_fairway.empty import write_empty

SRC = Path(presence.__file__).parents[1]
PTH = (SRC / "django_fairway" / "django_fairway.pth").read_text()
PROGRAM = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def installed(folder: Path) -> Path:
    """An environment's packages, as an installer leaves them, with three files of ours."""
    files = ["channels/__init__.py", "channels/consumer.py", "daphne/__init__.py", "django_fairway.pth"]
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(PTH if name.endswith(".pth") else "ours = 1\n")
    (folder / "django_fairway").symlink_to(SRC / "django_fairway")
    info = folder / "django_fairway-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: django-fairway\nVersion: 0.1.0\n")
    lines = [f"{name},,{(folder / name).stat().st_size}" for name in files]
    (info / "RECORD").write_text("\n".join([*lines, "django_fairway-0.1.0.dist-info/RECORD,,"]) + "\n")
    return folder


def original(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start Python as an environment does whose packages these are: its ``.pth`` files are run."""
    code = (
        f"import site, sys; sys.orig_argv[1:] = {list(words)!r}; site.addsitedir({str(folder)!r}); {PROGRAM}"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, timeout=30
    )


@pytest.mark.parametrize(
    "words", [("manage.py", "check"), ("/x/bin/daphne", "a:b"), ("-m", "daphne"), ("-m", "django")]
)
def test_what_is_missing_is_said_at_the_start(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = installed(tmp_path)
    assert start(folder, *words).stderr == ""
    (folder / "channels" / "consumer.py").unlink()
    (folder / "daphne" / "__init__.py").write_text("theirs = True\n")
    original(folder, "daphne", "4.2.1")
    said = start(folder, *words).stderr
    assert "Installed beside django-fairway, with files of the same names: daphne 4.2.1." in said
    assert "1 of its files are gone, among them channels/consumer.py." in said
    assert "1 of its files are of others now, among them daphne/__init__.py." in said
    assert "Mend it with: " in said
    assert said.count("\n") == 2


@pytest.mark.parametrize("words", [("-c", "pass"), ("script.py",), ("-m", "http.server"), ()])
def test_other_programs_do_not_pay(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = installed(tmp_path)
    (folder / "channels" / "consumer.py").unlink()
    done = start(folder, *words)
    assert done.stderr == ""
    assert not [name for name in json.loads(done.stdout) if name.startswith("django_fairway")]


@pytest.mark.parametrize("words", [("/srv/django/run.py",), ("-c", "import daphne")])
def test_programs_with_such_words_are_let_alone(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = installed(tmp_path)
    (folder / "channels" / "consumer.py").unlink()
    assert start(folder, *words).stderr == ""


def test_the_line_takes_less_than_a_tenth_of_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "script.py", "word"])
    begun = time.perf_counter()
    for _ in range(1000):
        exec(PTH)
    assert time.perf_counter() - begun < 0.1 * 10  # ten times as much as it may be, on a busy machine


@pytest.mark.parametrize("damage", ["RECORD", "METADATA", "package"])
def test_no_damage_makes_a_start_fail(damage: str, tmp_path: Path) -> None:
    folder = installed(tmp_path)
    if damage == "package":
        (folder / "django_fairway").unlink()
    else:
        (folder / "django_fairway-0.1.0.dist-info" / damage).write_bytes(b"\xff\x00,,x\n")
    assert "Traceback" not in start(folder, "manage.py").stderr


def test_the_child_of_the_autoreloader_does_not_say_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed(tmp_path)
    (folder / "channels" / "consumer.py").unlink()
    monkeypatch.setenv("RUN_MAIN", "true")
    assert start(folder, "manage.py").stderr == ""


def test_the_empty_ones_are_no_originals(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    folder = installed(tmp_path / "site")
    for wheel in write_empty(tmp_path):
        subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, folder], check=True)
    assert start(folder, "manage.py").stderr == ""


def test_a_package_that_hides_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with an editable install: what lies in site-packages comes first."""
    (tmp_path / "daphne").mkdir()
    (tmp_path / "daphne" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert presence.look().hidden == ("daphne",)
    assert "Python finds other packages first for: daphne." in str(presence.look())


def test_this_environment_is_whole() -> None:
    assert not presence.look()


SETTINGS = (
    "SECRET_KEY = 'x'\nINSTALLED_APPS = {apps}\nASGI_APPLICATION = 'site.asgi.application'\nDEBUG = True\n"
)
SERVE = """
import site, sys
sys.orig_argv[1:] = sys.argv[1:]
site.addsitedir({folder!r})
from django.core.management import load_command_class
from django.conf import settings
settings.INSTALLED_APPS
load_command_class("django.core", "runserver")
"""


@pytest.mark.parametrize(
    ("apps", "words", "told"),
    [
        (["chat"], ["runserver"], True),
        (["chat"], ["runserver", "--noasgi"], False),
        (["chat"], ["check"], False),
        (["channels", "chat"], ["runserver"], False),  # its own check says it
        (["daphne.apps.DaphneConfig"], ["runserver"], False),
    ],
)
def test_runserver_without_our_apps(apps: list[str], words: list[str], told: bool, tmp_path: Path) -> None:
    folder = installed(tmp_path)
    (tmp_path / "lonely_settings.py").write_text(SETTINGS.format(apps=apps))
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "lonely_settings", "PYTHONPATH": str(tmp_path)}
    environment.pop("RUN_MAIN", None)
    done = subprocess.run(
        [sys.executable, "-c", SERVE.format(folder=str(folder)), "manage.py", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=environment,
    )
    assert ("'daphne' is missing from INSTALLED_APPS" in done.stderr) is told
