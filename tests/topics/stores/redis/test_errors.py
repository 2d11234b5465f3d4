"""What is raised when Redis does not answer."""

from __future__ import annotations

from channels.layers.redis.connect.errors import unavailable
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.redis.errors import store_unavailable


def test_the_error_names_the_setting_of_topics():
    error = store_unavailable(unavailable("redis://h:1/0", ConnectionError("Refused.")))
    assert isinstance(error, StoreUnavailable)
    assert "redis://h:1/0" in str(error)
    assert "CHANNELS_TOPICS" in str(error)
    assert "CHANNEL_LAYERS" not in str(error)
