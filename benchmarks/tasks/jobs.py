"""Trivial tasks, for any backend of django.tasks."""

import time

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def nothing(number: int) -> int:
    return number


@task
def age(enqueued: float) -> float:
    """How long it took until this runs, in seconds."""
    return time.time() - enqueued
