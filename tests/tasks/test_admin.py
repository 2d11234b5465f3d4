"""The admin of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import path

from channels.tasks import Limit, every
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.models import Task
from channels.tasks.schedule.schedules import registered
from tests import settings as project
from tests.support.databases import Database
from tests.tasks import jobs
from tests.tasks.conftest import finished, working

PROJECT: dict[str, Any] = {
    "INSTALLED_APPS": [*project.INSTALLED_APPS, "django.contrib.admin", "django.contrib.messages"],
    "MIDDLEWARE": [*project.MIDDLEWARE, "django.contrib.messages.middleware.MessageMiddleware"],
    "ROOT_URLCONF": __name__,
    "TASKS": {"default": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": []}},
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
}
urlpatterns: list[Any] = []


@pytest.fixture
def client(sqlite: Database) -> Iterator[Client]:
    """Somebody who may do everything."""
    with sqlite.as_default(), override_settings(**PROJECT):
        call_command("migrate", verbosity=0)
        admin.autodiscover()
        urlpatterns[:] = [path("admin/", admin.site.urls)]
        from django.contrib.auth.models import User

        client = Client()
        client.force_login(User.objects.create_superuser("root"))
        yield client


def page(client: Client, address: str) -> str:
    answer = client.get(f"/admin/channels_tasks/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, action: str, *ids: str) -> str:
    data = {"action": action, "_selected_action": ids}
    return client.post("/admin/channels_tasks/task/", data, follow=True).content.decode()


def test_tasks_are_listed_filtered_read_retried_and_cancelled(client: Client) -> None:
    with working():
        failed = finished(jobs.fail.enqueue("<b>why</b>"))
    waiting = jobs.add.enqueue(1, 2)
    assert failed.id in page(client, "task/") and waiting.id in page(client, "task/")
    assert waiting.id not in page(client, "task/?state=failed")
    assert waiting.id not in page(client, f"task/?q={failed.id}")
    found = page(client, f"task/{failed.id}/change/")
    assert "Traceback" in found and "&lt;b&gt;why" in found and "<b>why" not in found
    assert "1 of 2 tasks run again" in act(client, "retry_selected", failed.id, waiting.id)
    assert "2 of 2 tasks are cancelled" in act(client, "cancel_selected", failed.id, waiting.id)
    assert client.get("/admin/channels_tasks/task/add/").status_code == 403


def test_it_says_in_words_which_key_a_task_waits_for(client: Client) -> None:
    both = jobs.add.using(limit=Limit("stripe", concurrency=1, rate="5/10s"))
    _, waiting = both.enqueue(1, 2), both.enqueue(3, 4)
    store_of(task_backends["default"]).promote()
    assert page(client, "task/").count("key stripe (1 at once, 5 in 10 s)") == 1
    assert "key stripe (1 at once, 5 in 10 s)" in page(client, f"task/{waiting.id}/change/")
    assert waiting.id in page(client, "task/?state=limited")


def test_no_page_counts_all_rows(client: Client, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(12) as queries:
        assert "Show counts" not in page(client, "task/?state=failed")
    assert not [query for query in queries.captured_queries if "COUNT(" in query["sql"]]


def test_a_search_reads_few_rows_of_a_large_table(client: Client, monkeypatch) -> None:
    """A path is looked for among the newest tasks, an id by the index."""
    monkeypatch.setattr("channels.tasks.admin.NEWEST", 2)
    oldest, *_, newest = jobs.add.enqueue_many([((1, 2), {})] * 4)
    found = page(client, f"task/?q={jobs.add.module_path}")
    assert newest.id in found and oldest.id not in found
    assert oldest.id in page(client, f"task/?q= {oldest.id} ")
    assert newest.id not in page(client, "task/?q=another.path")
    for term in (oldest.id, jobs.add.module_path):
        with connection.cursor() as cursor:
            model_admin = admin.site.get_model_admin(Task)
            rows, _ = model_admin.get_search_results(HttpRequest(), Task.objects.all(), term)
            statement, parameters = rows.query.sql_with_params()
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert "USING INDEX" in str(cursor.fetchall())


def test_workers_and_schedules_are_listed(client: Client) -> None:
    every(minutes=5)(jobs.important)
    with working() as worker:
        finished(jobs.add.enqueue(1, 2))
        assert worker.owner in page(client, "worker/")
    assert "tests.tasks.jobs.important" in page(client, "tick/")
    del registered["tests.tasks.jobs.important"]
