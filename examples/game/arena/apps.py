"""The Django application ``arena``."""

from django.apps import AppConfig


class ArenaConfig(AppConfig):
    name = "arena"
