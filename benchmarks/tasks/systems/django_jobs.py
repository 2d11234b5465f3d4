"""Tasks of any backend of ``django.tasks``."""

from systems import work

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def nothing(number: int) -> int:
    return work.nothing(number)


@task
def mark(path: str) -> None:
    work.mark(path)


@task
def age(path: str, enqueued: float) -> None:
    work.age(path, enqueued)
