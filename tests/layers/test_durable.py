from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels.layers import channel_layers, durable, get_channel_layer
from channels.layers.host import HostChannelLayer
from channels.layers.memory import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

KINDS = [InMemoryChannelLayer, HostChannelLayer, RedisChannelLayer, RedisPubSubChannelLayer]


@pytest.mark.parametrize("kind", KINDS)
def test_each_layer_has_what_the_app_provides(kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_makers", [])
    made: Any = lambda layer: ("writes for", layer)  # noqa: E731
    durable.provide(made)
    layer = kind()
    assert layer.durable == ("writes for", layer)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_app_it_says_what_to_do(kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_makers", [])
    with pytest.raises(ImproperlyConfigured, match=r"'channels.outbox': add it to INSTALLED_APPS"):
        _ = kind().durable


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_may_use_the_name_for_something_else(kind) -> None:
    class Theirs(kind):
        def __init__(self) -> None:
            super().__init__()
            self.durable = "theirs"

    assert Theirs().durable == "theirs"


def test_a_layer_that_is_in_no_setting_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"Take it from get_channel_layer\(\)"):
        _ = InMemoryChannelLayer().durable


def test_one_of_the_settings_is_known_by_its_alias() -> None:
    layers = {"other": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with override_settings(CHANNEL_LAYERS=layers):
        assert get_channel_layer("other").durable._alias == "other"
    channel_layers.backends.clear()
