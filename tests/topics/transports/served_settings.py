"""The project that served_app.py runs in."""

import os
from typing import Any

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.topics.urls"
CHANNELS_TOPICS: dict[str, Any] = {
    "API_KEY": "a-key-for-tests-of-servers",
    "PING_INTERVAL": 2,
    "PONG_TIMEOUT": 1,
    "MAX_QUEUE_SIZE": 200_000,
}
if "TOPICS_REDIS" in os.environ:
    CHANNELS_TOPICS["STORES"] = {
        "default": {
            "BACKEND": "channels.topics.stores.redis.RedisStore",
            "CONFIG": {"hosts": [os.environ["TOPICS_REDIS"]], "prefix": os.environ["TOPICS_PREFIX"]},
        }
    }
