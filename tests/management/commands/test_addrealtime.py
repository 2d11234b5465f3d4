"""``manage.py addrealtime`` in projects of several shapes, each made by Django and then run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.served import environment

COPIES_SETTINGS = """
import shop.real

for each in filter(str.isupper, dir(shop.real)):
    globals()[each] = getattr(shop.real, each)
"""


def python(folder: Path, *words: str, answer: str | None = None) -> subprocess.CompletedProcess[str]:
    given = {"stdin": subprocess.DEVNULL} if answer is None else {"input": answer}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        **given,
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert python(tmp_path, "-m", "django", "startproject", "shop", ".").returncode == 0
    settings = tmp_path / "shop" / "settings.py"
    settings.write_text(
        settings.read_text().replace("INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'channels',")
    )
    return tmp_path


def texts(site: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(site.rglob("*.py"))}


def test_it_shows_the_changes_and_writes_nothing_unless_told(site: Path) -> None:
    before = texts(site)
    for words, answer in ((["--diff"], "y\n"), ([], "n\n"), ([], None)):
        shown = python(site, "manage.py", "addrealtime", *words, answer=answer)
        assert shown.returncode == 0, shown.stderr
        assert "--- a/shop/settings.py\n+++ b/shop/settings.py" in shown.stdout
        assert "+++ b/board/topics.py" in shown.stdout
    assert texts(site) == before


@pytest.mark.parametrize(("words", "answer"), [(["--yes"], None), ([], "y\n")])
def test_what_it_writes_works(site: Path, words: list[str], answer: str | None) -> None:
    written = python(site, "manage.py", "addrealtime", *words, answer=answer)
    assert "open /board/ in two windows" in written.stdout, written.stderr
    assert (site / "shop" / "settings.py").read_text().count("'channels',") == 1
    tested = python(site, "manage.py", "test")
    assert "Ran 3 tests" in tested.stderr, tested.stderr
    assert tested.returncode == 0, tested.stderr
    assert "nothing to change" in python(site, "manage.py", "addrealtime").stdout


def test_settings_in_a_package_are_changed_where_the_apps_are(site: Path) -> None:
    folder = site / "shop" / "settings"
    folder.mkdir()
    (site / "shop" / "settings.py").rename(folder / "base.py")
    (folder / "__init__.py").write_text("from .dev import *\n")
    (folder / "dev.py").write_text("from shop.settings.base import *\n\nDEBUG = True\n")
    assert python(site, "manage.py", "addrealtime", "--yes").returncode == 0
    assert "'board'" in (folder / "base.py").read_text()
    assert "board" not in (folder / "dev.py").read_text()
    assert python(site, "manage.py", "test").returncode == 0


SMALL = """
from shop.layers import *

SECRET_KEY, DEBUG, ROOT_URLCONF = "x" * 50, True, "shop.web.urls"
INSTALLED_APPS = ["channels"]
INSTALLED_APPS += [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "staticfiles")]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
STATIC_URL = "/static/"
ASGI_APPLICATION = "shop.server.app"
"""
LAYERS = 'CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}\n'


def test_a_project_of_another_shape_is_changed_where_its_files_are(site: Path) -> None:
    """Below ``src``, its application elsewhere and of another name, no templates, its layer in a file."""
    source = site / "src"
    source.mkdir()
    for name in ("manage.py", "shop"):
        (site / name).rename(source / name)
    shop, web = source / "shop", source / "shop" / "web"
    asgi = (shop / "asgi.py").read_text().replace("application =", "app =")
    (shop / "asgi.py").unlink()
    (shop / "server.py").write_text(asgi)
    (shop / "settings.py").write_text(SMALL)
    (shop / "layers.py").write_text(LAYERS)
    (web / "urls").mkdir(parents=True)
    (web / "urls" / "__init__.py").write_text("urlpatterns = []\n")
    done = python(site, "src/manage.py", "addrealtime", "--yes")
    assert "open /board/ in two windows" in done.stdout, done.stderr
    assert "By hand" not in done.stdout
    assert not (shop / "asgi.py").exists()
    assert (shop / "settings.py").read_text().count("ASGI_APPLICATION") == 1
    assert "CHANNEL_LAYERS" not in (shop / "settings.py").read_text()
    tested = python(source, "manage.py", "test")
    assert "Ran 3 tests" in tested.stderr, tested.stderr
    assert tested.returncode == 0, tested.stderr


def test_what_is_not_as_expected_is_left_and_told(site: Path) -> None:
    asgi = site / "shop" / "asgi.py"
    asgi.write_text(asgi.read_text() + "\napplication = print\n")
    told = python(site, "manage.py", "addrealtime", "--diff")
    assert "By hand: " in told.stdout
    assert "asgi.py: its application is not Django's alone." in told.stdout


def test_settings_without_apps_are_told(site: Path) -> None:
    (site / "shop" / "settings.py").rename(site / "shop" / "real.py")
    (site / "shop" / "settings.py").write_text(COPIES_SETTINGS)
    told = python(site, "manage.py", "addrealtime")
    assert told.returncode == 1
    assert "Neither shop.settings nor what it imports by * assigns INSTALLED_APPS." in told.stderr


def test_apps_of_djangos_that_topics_need_are_named(site: Path) -> None:
    settings = site / "shop" / "settings.py"
    settings.write_text(f"{settings.read_text()}\nINSTALLED_APPS = ['channels']\n")
    told = python(site, "manage.py", "addrealtime")
    assert told.returncode == 1
    assert "django.contrib.auth, django.contrib.contenttypes, django.contrib.sessions, django" in told.stderr
