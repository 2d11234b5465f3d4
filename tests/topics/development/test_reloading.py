"""Pages are loaded anew after a change: under runserver with its reloader, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.staticfiles import finders
from django.test import override_settings

from channels.topics.development import reloading
from tests.e2e.example import until
from tests.support.browser import chromium
from tests.support.ports import free_port
from tests.support.served import environment, served


@pytest.mark.parametrize(
    ("debug", "run_main", "reloads"),
    [(True, "true", True), (False, "true", False), (True, "false", False), (True, None, False)],
)
def test_only_the_reloaders_process_of_a_project_in_development_does(
    monkeypatch: pytest.MonkeyPatch, debug: bool, run_main: str | None, reloads: bool
) -> None:
    monkeypatch.delenv("RUN_MAIN", raising=False)
    if run_main is not None:
        monkeypatch.setenv("RUN_MAIN", run_main)
    with override_settings(DEBUG=debug):
        assert reloading.reloads_pages() is reloads


def test_static_files_of_the_project_are_watched_and_need_no_other_process(tmp_path: Path) -> None:
    watched: list[tuple[Path, str]] = []
    reloader = SimpleNamespace(watch_dir=lambda directory, glob: watched.append((directory, glob)))
    finders.get_finder.cache_clear()  # type: ignore[attr-defined]  # its stubs hide the cache
    with override_settings(
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATICFILES_DIRS=[tmp_path],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):
        reloading.watch_static_files(reloader)
        assert watched == [(tmp_path, "**/*")]
        assert reloading.tell_pages(reloader, tmp_path / "site.css") is True
        assert reloading.tell_pages(reloader, Path("/elsewhere/views.py")) is None
    finders.get_finder.cache_clear()  # type: ignore[attr-defined]  # its stubs hide the cache


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_a_page_shows_what_was_changed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "channels", "startproject", "mysite"], cwd=tmp_path, check=True)
    site, port = tmp_path / "mysite", free_port()
    template = site / "board" / "templates" / "board" / "board.html"
    views = site / "board" / "views.py"
    command = ["python", "manage.py", "runserver", f"127.0.0.1:{port}"]
    with (
        served(command, port, folder=site, log=tmp_path / "log", env=environment()),
        chromium(tmp_path / "window") as window,
    ):
        window.get(f"http://127.0.0.1:{port}/")
        until(window, "document.querySelector('#state').textContent === 'live'")
        template.write_text(template.read_text().replace("<h1>Board</h1>", "<h1>Wall</h1>"))
        until(window, "document.querySelector('h1')?.textContent === 'Wall'")
        until(window, "document.querySelector('#state').textContent === 'live'")
        views.write_text(views.read_text().replace("board:main", "board:other"))
        until(window, "document.querySelector('#topic')?.textContent.includes('other')")
