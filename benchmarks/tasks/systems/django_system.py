"""A backend of ``django.tasks``: which one, and its database, are the environment's."""

import os
import sys
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "systems.django_settings"

import django

WORKER = [sys.executable, "-m", "django", *os.environ["TASKS_WORKER"].split()]


def prepare() -> None:
    """Have the tables."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def enqueue(name: str, *arguments: Any) -> None:
    """Enqueue a task by its name."""
    from systems import django_jobs

    getattr(django_jobs, name).enqueue(*arguments)
