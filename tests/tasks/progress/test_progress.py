"""How far a task is: what is published, who may see it, and the bar in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.test import override_settings
from selenium.webdriver import Chrome

from channels import telemetry
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.tasks import cancel
from channels.tasks.progress.reporter import Reporter
from channels.tasks.progress.reports import Report
from channels.tasks.progress.topic import TaskProgress
from channels.topics import history, websocket_urlpatterns
from channels.topics.stores.manager import set_store
from tests import settings as project
from tests.support import programs
from tests.support.browser import DESKTOP, PHONE, chromium
from tests.tasks import jobs
from tests.tasks.conftest import finished, wait_for, working
from tests.tasks.progress import pages
from tests.topics.clients.test_browser import wait_for as wait_in

APPS = [*project.INSTALLED_APPS, "django.contrib.staticfiles", "channels.topics"]
PROJECT: dict[str, Any] = {
    "ROOT_URLCONF": pages.__name__,
    "INSTALLED_APPS": APPS,
    "MIDDLEWARE": [f"{pages.__name__}.AsViewer"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
}


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    set_store("default", None)
    yield
    set_store("default", None)


def newest(result: Any) -> Any:
    found = history(TaskProgress(id=result.id), limit=1).entries
    return found[0].data if found else None


def test_a_report_keeps_to_its_range() -> None:
    assert Report.running(1.5, "x" * 600) == Report("RUNNING", 1.0, "x" * 500)
    assert Report.running(-1, "").progress == 0.0
    with pytest.raises(ValueError, match="nan"):
        Report.running(float("nan"), "")


def test_the_newest_of_many_reports_is_published_and_the_end() -> None:
    with working():
        result = jobs.resize.using(viewer=7).enqueue(1000)
        assert jobs.started.wait(5)
        wait_for(lambda: (newest(result) or {}).get("text") == "image 999")
        jobs.gate.set()
        finished(result)
        wait_for(lambda: newest(result)["status"] == "SUCCESSFUL")
    expected = {"status": "SUCCESSFUL", "progress": 1.0, "text": "", "result": "resized", "error": ""}
    assert newest(result) == expected
    assert history(TaskProgress(id=result.id), limit=1).position.offset < 20


def test_a_failure_is_told_by_the_name_of_its_class() -> None:
    with working():
        result = jobs.break_at_half.enqueue()
        assert jobs.started.wait(5)
        jobs.gate.set()
        finished(result)
        wait_for(lambda: (newest(result) or {}).get("status") == "FAILED")
    assert newest(result)["error"] == "KeyError"
    assert "secret" not in str(newest(result))


def test_the_viewer_of_a_task_without_reports_hears_of_its_end_and_nobody_else_costs_anything() -> None:
    with working():
        seen, unseen = jobs.add.using(viewer=7).enqueue(1, 2), jobs.add.enqueue(1, 2)
        finished(unseen)
        wait_for(lambda: newest(seen))
    assert (newest(seen)["result"], newest(unseen)) == (3, None)


def test_a_task_that_is_cancelled_before_it_runs_is_told() -> None:
    result = jobs.add.using(viewer=7).enqueue(1, 2)
    assert cancel(result)
    assert newest(result)["error"] == "TaskCancelled"


def test_only_the_viewer_may_see_it(settings) -> None:
    settings.TASKS = {"default": settings.TASKS["default"]}
    result = jobs.add.using(viewer=pages.Viewer()).enqueue(1, 2)
    topic = TaskProgress(id=result.id)
    assert topic.may_subscribe(pages.Viewer())
    assert not topic.may_subscribe(AnonymousUser())
    assert not TaskProgress(id="0" * 32).may_subscribe(pages.Viewer())
    assert not TaskProgress(id="nonsense").may_subscribe(pages.Viewer())
    nobody = jobs.add.using(viewer=AnonymousUser()).enqueue(1, 2)
    assert not TaskProgress(id=nobody.id).may_subscribe(AnonymousUser())


def test_reports_that_cannot_be_published_are_counted(monkeypatch) -> None:
    def unavailable(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(TaskProgress, "publish", unavailable)
    counted = telemetry.counters["tasks.report_lost"]
    reporter = Reporter()
    reporter.report("0" * 32, Report("RUNNING"))
    reporter.flush(5)
    assert telemetry.counters["tasks.report_lost"] == counted + 1


@pytest.fixture
def window(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile", request.param) as window:
        yield window


@pytest.fixture
def site() -> Iterator[str]:
    topics = URLRouter(websocket_urlpatterns)

    async def as_viewer(scope: Any, receive: Any, send: Any) -> None:
        await topics({**scope, "user": pages.Viewer()}, receive, send)

    with override_settings(**PROJECT):
        http = ASGIStaticFilesHandler(get_asgi_application())
        with ServerThread(ProtocolTypeRouter({"http": http, "websocket": as_viewer})) as server:
            yield f"http://127.0.0.1:{server.port}/page"


@pytest.mark.browser
@pytest.mark.parametrize(("kind", "window"), [("ours", DESKTOP), ("htmx", PHONE)], indirect=["window"])
def test_the_bar_moves_in_a_browser(site: str, window: Chrome, kind: str, monkeypatch) -> None:
    """It starts a browser."""
    if kind == "htmx":
        monkeypatch.setattr(pages, "packages", programs.require_npm_packages("htmx.org@4.0.1"))
    result = jobs.resize.using(viewer=7).enqueue(4)
    window.get(f"{site}/{kind}/{result.id}")
    assert window.execute_script("return document.querySelector('progress').matches(':indeterminate')")
    with working():
        wait_in(window, "document.querySelector('output').textContent", "image 3")
        assert window.execute_script("return document.querySelector('progress').value") == 0.75
        assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        jobs.gate.set()
        wait_in(window, "document.querySelector('progress').value", 1)
    status = {"ours": "document.querySelector('task-progress').dataset.status"}
    wait_in(window, status.get(kind, "document.querySelector('progress').dataset.status"), "SUCCESSFUL")
    errors = [each for each in window.get_log("browser") if each["level"] == "SEVERE"]
    assert [each for each in errors if "favicon" not in each["message"]] == []


@pytest.mark.browser
@pytest.mark.parametrize("window", [PHONE], indirect=True)
def test_the_bar_of_a_task_that_fails_stays_and_says_so(site: str, window: Chrome) -> None:
    """It starts a browser."""
    result = jobs.break_at_half.using(viewer=7).enqueue()
    window.get(f"{site}/ours/{result.id}")
    bar = "document.querySelector('progress')"
    with working():
        wait_in(window, f"{bar}.value", 0.5)
        jobs.gate.set()
        wait_in(window, "document.querySelector('output').textContent", "KeyError")
    found = window.execute_script(f"return [{bar}.value, {bar}.dataset.status, {bar}.ariaLabel]")
    assert found == [0.5, "FAILED", "FAILED"]
    assert "secret" not in window.page_source
    window.refresh()
    wait_in(window, "document.querySelector('output').textContent", "KeyError")
