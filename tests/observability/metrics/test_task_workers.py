"""Metrics of workers of tasks beside a server: on the server's port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.observability.metrics.test_processes import Site
from tests.support.ports import free_port
from tests.support.served import environment, served, wait_until_listening

pytestmark = pytest.mark.timeout(120)

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "test"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "channels", "channels.tasks"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
TASKS = {"default": {"BACKEND": "channels.tasks.TaskBackend"}}
"""
ASGI = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
import django
django.setup()
from django.core.asgi import get_asgi_application

application = get_asgi_application()
"""
TASKS = """
from channels.tasks import task

@task
def add(one, two):
    return one + two
"""


def manage(folder: Path, env: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "django", *arguments]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, timeout=60)


def test_what_workers_of_tasks_do_is_shown_with_the_rest(tmp_path: Path) -> None:
    for name, text in (("site_settings", SETTINGS), ("site_asgi", ASGI), ("site_tasks", TASKS)):
        (tmp_path / f"{name}.py").write_text(text)
    env = environment(DJANGO_SETTINGS_MODULE="site_settings", PYTHONPATH=str(tmp_path), TMPDIR=str(tmp_path))
    manage(tmp_path, env, "migrate", "-v", "0")
    site = Site(free_port(), free_port())
    command = ["daphne", "-v", "0", "-p", str(site.port), "--metrics-port", str(site.metrics_port)]
    with served(
        [*command, "--task-workers", "1", "site_asgi:application"],
        site.port,
        folder=tmp_path,
        log=tmp_path / "log",
        env=env,
    ) as process:
        wait_until_listening(process, site.metrics_port, tmp_path / "log")
        manage(tmp_path, env, "shell", "-c", "from site_tasks import add; add.enqueue(1, 2)")
        done = 'channels_task_duration_seconds_count{path="site_tasks.add"}{status="SUCCESSFUL"}'
        found = site.until(lambda found: found.get(done) == 1)
        assert found['channels_task_attempts_total{path="site_tasks.add"}'] == 1
        assert found['channels_process_resident_memory_bytes{kind="tasks"}'] > 0
        assert found['channels_process_resident_memory_bytes{kind="server"}'] > 0
        assert 'channels_tasks_waiting{state="ready"}' in found
