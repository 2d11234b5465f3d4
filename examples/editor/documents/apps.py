"""The Django application ``documents``."""

from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "documents"
