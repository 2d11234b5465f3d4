"""The app ``channels.tasks``."""

from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Has the tables of tasks."""

    name = "channels.tasks"
    label = "channels_tasks"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"
