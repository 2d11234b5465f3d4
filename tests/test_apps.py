"""The Django application registers its checks."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import run_checks

from channels.apps import ChannelsConfig


def found(deploy: bool) -> set[str | None]:
    return {message.id for message in run_checks(tags=["channels"], include_deployment_checks=deploy)}


def test_is_installed() -> None:
    config = apps.get_app_config("channels")
    assert isinstance(config, ChannelsConfig)
    assert config.verbose_name == "Channels"


def test_checks_run(settings: Any) -> None:
    settings.ASGI_APPLICATION = "tests.test_checks.unguarded"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    assert found(deploy=False) == set()
    assert found(deploy=True) == {"channels.W002", "channels.W003"}
    settings.ASGI_APPLICATION = None
    assert found(deploy=False) == {"channels.W001"}
