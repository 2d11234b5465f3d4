"""The project of workers that are killed."""

import json
import os

import django

from tests.support.databases.settings import VARIABLE, from_environment

SECRET_KEY = "not-a-secret-only-for-tests"
USE_TZ = True
DATABASES = from_environment() if VARIABLE in os.environ else {}
INSTALLED_APPS = [
    "daphne",
    "channels",
    "channels.tasks",
    *(["django_tasks"] if django.VERSION < (6,) else []),
]
#: Short, so that nobody waits long for the dead.
OPTIONS = {"lease": 1.0, **json.loads(os.environ.get("TASKS_OPTIONS", "{}"))}
TASKS = {"default": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": [], "OPTIONS": OPTIONS}}
ASGI_APPLICATION = "tests.tasks.kills.asgi.application"
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["*"]
