"""The names of ``django.tasks``, from Django 6 or from the backport: the one place that knows which.

Django 5.2 has no ``django.tasks``; there the distribution ``django-tasks`` 0.12 has the same, and a few other
names. A process may have both; Django's own are used then, as their classes and signals are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import django
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING or django.VERSION >= (6,):
    from django.tasks import task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, InvalidTaskBackend, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started

    LOGGER: Final = "django.tasks"
else:
    try:
        from django_tasks import task_backends
    except ImportError as error:
        raise ImproperlyConfigured(
            "channels.tasks needs django.tasks: Django 6, or on Django 5.2 the backport. Install it with "
            "pip install 'django-tasks>=0.12,<0.13', and add 'django_tasks' to INSTALLED_APPS."
        ) from error
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import InvalidTaskBackendError as InvalidTaskBackend
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started

    LOGGER = "django_tasks"

__all__ = [
    "LOGGER",
    "BaseTaskBackend",
    "InvalidTask",
    "InvalidTaskBackend",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]
