#!/bin/sh
# django-tasks-db 0.13.0 (django-tasks 0.12.0, Django 5.2.19): a task whose worker is killed stays RUNNING for ever. The next worker
# does not take it, though it does what was enqueued after it; nothing says that it failed, and prune_db_task_results, asked to
# delete every result however young, leaves it there.
#
# Seen, (what the tasks did, their states, what is left after pruning):
#   (['first begun', 'second begun', 'second done'], ['RUNNING', 'SUCCESSFUL'], ['RUNNING'])
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q django==5.2.19 "django-tasks-db[compat]==0.13.0" django-tasks==0.12.0 2>/dev/null
cd "$folder"
cat > project.py <<'PROJECT'
import os
import sys
import time

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="-",
    USE_TZ=True,
    INSTALLED_APPS=["django_tasks_db"],
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "db.sqlite3",
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    },
)
sys.modules["project"] = sys.modules[__name__]
django.setup()

from django.core.management import execute_from_command_line
from django_tasks import task


def did(what):
    with open("did", "a") as file:
        file.write(what + "\n")


@task()
def work(name):
    did(f"{name} begun")
    time.sleep(float(os.environ.get("SECONDS_OF_WORK", "0")))
    did(f"{name} done")


if __name__ == "__main__":
    execute_from_command_line(sys.argv)
PROJECT
"$folder/venv/bin/python" - <<'PROBE'
import os
import subprocess
import sys
import time

import project
from django.core.management import call_command
from django_tasks_db.models import DBTaskResult


def worker(seconds):
    return subprocess.Popen(
        [sys.executable, "project.py", "db_worker"], env={**os.environ, "SECONDS_OF_WORK": seconds}, stderr=subprocess.DEVNULL
    )


def states():
    return [result.status for result in DBTaskResult.objects.order_by("enqueued_at")]


def until(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)


def did():
    return open("did").read().splitlines() if os.path.exists("did") else []


call_command("migrate", verbosity=0)
project.work.enqueue("first")
killed = worker("60")
until(lambda: did() == ["first begun"])
killed.kill()
killed.wait()
project.work.enqueue("second")
following = worker("0")
until(lambda: "second done" in did())
time.sleep(10)  # it has nothing else to do
following.terminate()
following.wait(30)
after = states()
call_command("prune_db_task_results", min_age_days=0, verbosity=0)
seen = did(), after, states()
expected = ["first begun", "second begun", "second done"], ["RUNNING", "SUCCESSFUL"], ["RUNNING"]
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE
