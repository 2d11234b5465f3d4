"""The Django application ``orders``."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
