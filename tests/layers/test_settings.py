from __future__ import annotations

import re

import pytest

from channels.exceptions import InvalidChannelLayerError
from channels.layers.host import HostChannelLayer
from channels.layers.memory import InMemoryChannelLayer
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.settings import require_numbers

WRONG = [
    ({"capacity": -1}, "`capacity` .*at least 0, got -1"),
    ({"capacity": "100"}, "`capacity` .*got '100'"),
    ({"capacity": float("nan")}, "`capacity`"),
    ({"expiry": "60"}, "`expiry` .*got '60'"),
    ({"expiry": -5}, "`expiry`"),
    ({"group_expiry": None}, "`group_expiry` .*got None"),
    ({"channel_capacity": ["jobs"]}, r"`channel_capacity` .*must be a dict.*got \['jobs'\]"),
    ({"channel_capacity": {"jobs": "5"}}, r"`channel_capacity\['jobs'\]` .*got '5'"),
]


@pytest.mark.parametrize("backend", [InMemoryChannelLayer, HostChannelLayer, RedisChannelLayer])
@pytest.mark.parametrize(("config", "text"), WRONG)
def test_a_wrong_number_is_named_when_the_layer_is_made(backend, config, text):
    with pytest.raises(InvalidChannelLayerError, match=text) as caught:
        backend(**config)
    assert "CHANNEL_LAYERS" in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "config"),
    [
        (HostChannelLayer, {"timeout": "5"}),
        (HostChannelLayer, {"max_backlog": 0}),
        (RedisChannelLayer, {"max_message_size": 0}),
        (RedisChannelLayer, {"unavailable_timeout": "a"}),
        (RedisChannelLayer, {"worker_timeout": -1}),
        (RedisChannelLayer, {"random_prefix_length": "a"}),
        (RedisChannelLayer, {"prefix": None}),
    ],
)
def test_settings_of_one_backend(backend, config):
    with pytest.raises(InvalidChannelLayerError, match=re.escape(f"`{next(iter(config))}`")):
        backend(**config)


def test_patterns_and_zero_are_fine():
    layer = InMemoryChannelLayer(capacity=0, channel_capacity={re.compile("x"): 0, "jobs.*": 5.0})  # type: ignore[dict-item]
    assert layer.get_capacity("jobs.1") == 5
    require_numbers(1, anything=1)
