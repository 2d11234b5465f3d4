from __future__ import annotations

import pytest

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer


@pytest.mark.parametrize("layer", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize("name", ["repair_window", "repair_buffer", "repair_timeout"])
@pytest.mark.parametrize("value", [-1, "30", None, float("inf"), float("nan"), 10**10])
def test_a_wrong_limit_is_named_where_the_layer_is_made(layer, name, value):
    with pytest.raises(InvalidChannelLayerError, match=f"`{name}`.* must be a number from 0 to"):
        layer(**{name: value})


def test_right_ones_are_taken():
    RedisChannelLayer(repair_window=0, repair_buffer=0, repair_timeout=0.5)
    RedisPubSubChannelLayer(repair_window=3600, repair_buffer=2**30, repair_timeout=3600)
