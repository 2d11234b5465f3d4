"""The project whose tasks are measured: the backend and the database are the environment's."""

import json
import os
from typing import Any

import django

SECRET_KEY = "not-a-secret-only-for-benchmarks"
USE_TZ = True
DATABASES = {"default": json.loads(os.environ["TASKS_DATABASE"])}
BACKEND = os.environ["TASKS_BACKEND"]
INSTALLED_APPS = [
    *(["channels", "channels.tasks"] if BACKEND.startswith("channels") else ["django_tasks_db"]),
    *(["django_tasks"] if django.VERSION < (6,) else []),
]
TASKS: dict[str, Any] = {"default": {"BACKEND": BACKEND}}
if "TASKS_REDIS" in os.environ:
    TASKS["default"]["OPTIONS"] = {"store": "redis", "hosts": [os.environ["TASKS_REDIS"]]}
#: As is usual beside several processes of one machine; the peer has no use for it.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.host.HostChannelLayer"}}
SILENCED_SYSTEM_CHECKS = ["channels.W001"]
LOGGING_CONFIG = None
