"""The page of settings: every setting of ours and every option of a layer is there, with its default."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from channels.layers.host.layer import HostChannelLayer
from channels.layers.memory import InMemoryChannelLayer
from channels.topics.limits import Limits
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text()
#: option, default, layers
OPTIONS = [row.groups() for row in re.finditer(r"^\| `(\w+)` \| `([^`]+)` \| ([\w/]+) \| .+ \|$", PAGE, re.M)]
LAYERS: dict[str, set[type[Any]]] = {
    "host": {HostChannelLayer},
    "memory": {InMemoryChannelLayer},
    "Redis": {RedisChannelLayer},
    "publish/subscribe": {RedisPubSubChannelLayer},
    "all": {HostChannelLayer, InMemoryChannelLayer, RedisChannelLayer},
}
#: What a layer says about itself in another way, or another layer's options.
APART = {"kwargs"}


def options_of(layer: type[Any]) -> dict[str, Any]:
    parameters = inspect.signature(layer).parameters.values()
    return {one.name: one.default for one in parameters if one.name not in APART}


@pytest.mark.parametrize(("name", "default", "layers"), OPTIONS)
def test_an_option_is_one_of_its_layers_and_has_its_default(name: str, default: str, layers: str) -> None:
    for layer in LAYERS[layers]:
        assert repr(options_of(layer)[name]) == default, layer


@pytest.mark.parametrize(
    "layer", [HostChannelLayer, InMemoryChannelLayer, RedisChannelLayer, RedisPubSubChannelLayer]
)
def test_every_option_of_a_layer_has_a_row(layer: type[Any]) -> None:
    rows = {name for name, _, layers in OPTIONS if LAYERS[layers] & {layer, layer.__base__}}
    assert set(options_of(layer)) <= rows


def test_every_setting_of_ours_has_a_row() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    for name in {"CHANNEL_LAYERS", "ASGI_APPLICATION", *re.findall(r"\bCHANNELS_[A-Z_]+\b", sources)}:
        assert f"| `{name}` |" in PAGE, name


def test_every_limit_of_topics_has_a_row_with_its_default() -> None:
    for field in dataclasses.fields(Limits):
        assert f"| `{field.name.upper()}` | `{field.default}` |" in PAGE, field.name
