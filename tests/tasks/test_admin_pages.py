"""The admin of tasks in Chromium, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib import admin
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import path
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from channels.server.in_thread import ServerThread
from channels.tasks import cron
from channels.tasks.schedule.schedules import registered
from tests.support.browser import DESKTOP, PHONE, chromium
from tests.support.databases import Database
from tests.tasks import jobs, test_admin
from tests.tasks.conftest import finished, wait_for, working
from tests.topics.clients.test_browser import wait_for as wait_in

pytestmark = pytest.mark.browser
APPS = [*test_admin.PROJECT["INSTALLED_APPS"], "django.contrib.staticfiles"]
PROJECT: dict[str, Any] = {**test_admin.PROJECT, "INSTALLED_APPS": APPS, "ROOT_URLCONF": __name__}
urlpatterns: list[Any] = []


@pytest.fixture
def site(sqlite: Database) -> Iterator[str]:
    with sqlite.as_default(), override_settings(**PROJECT):
        call_command("migrate", verbosity=0)
        admin.autodiscover()
        urlpatterns[:] = [path("admin/", admin.site.urls)]
        http: Any = ASGIStaticFilesHandler(get_asgi_application())
        with ServerThread(http) as server:
            yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desk", "phone"])
def window(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile", request.param) as window:
        yield window


def log_in(window: Chrome, site: str) -> None:
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    window.get(f"{site}/admin/jsi18n/")
    name = django_settings.SESSION_COOKIE_NAME
    window.add_cookie({"name": name, "value": client.cookies[name].value})


def listed(window: Chrome) -> list[str]:
    return [each.text for each in window.find_elements(By.CSS_SELECTOR, "#result_list tbody tr .field-state")]


def act(window: Chrome, action: str, message: str) -> None:
    """Do something with the first task of the list, and wait for what the server says of it."""
    window.find_element(By.CSS_SELECTOR, "#result_list tbody .action-select").click()
    Select(window.find_element(By.NAME, "action")).select_by_value(action)
    window.find_element(By.CSS_SELECTOR, ".actions button").click()
    wait_in(window, "document.querySelector('.messagelist')?.textContent.trim()", message)


def test_tasks_are_filtered_read_retried_and_cancelled(site: str, window: Chrome, monkeypatch) -> None:
    """It starts a browser."""
    monkeypatch.setattr("channels.tasks.schedule.schedules.registered", registered)
    cron("@daily")(jobs.important)
    log_in(window, site)
    with working():
        failed = finished(jobs.fail.enqueue("the reason"))
        finished(jobs.add.enqueue(1, 2))
        wait_for(lambda: "tests.tasks.jobs.important" in ticks())
    window.get(f"{site}/admin/channels_tasks/task/")
    assert sorted(listed(window)) == ["failed", "succeeded"]
    assert_fits(window)
    window.get(f"{site}/admin/channels_tasks/task/?state=failed")
    assert listed(window) == ["failed"]
    window.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
    wait_in(window, "location.pathname", f"/admin/channels_tasks/task/{failed.id}/change/")
    wait_in(window, "document.querySelector('pre')?.textContent.includes('the reason')")
    assert_fits(window)
    window.get(f"{site}/admin/channels_tasks/task/?state=failed")
    act(window, "retry_selected", "1 of 1 tasks run again.")
    window.get(f"{site}/admin/channels_tasks/task/?state=ready")
    assert listed(window) == ["ready"]
    act(window, "cancel_selected", "1 of 1 tasks are cancelled, or asked to stop.")
    assert failed.refresh() is None and failed.status == "FAILED"
    window.get(f"{site}/admin/channels_tasks/tick/")
    assert "tests.tasks.jobs.important" in window.find_element(By.ID, "result_list").text
    assert_fits(window)
    del registered["tests.tasks.jobs.important"]


def ticks() -> list[str]:
    from channels.tasks.models import Tick

    return list(Tick.objects.values_list("name", flat=True))


def assert_fits(window: Chrome) -> None:
    """Nothing is wider than its place; a table may scroll."""
    elements = "[document.documentElement, ...document.querySelectorAll('pre')]"
    assert window.execute_script(f"return {elements}.every(each => each.scrollWidth <= each.clientWidth)")
