"""The project of the processes that are killed; where its topics are kept, the environment says."""

import os
from typing import Any

from tests.settings import *  # noqa: F403

LEASE = 1.5
if "TOPICS_REDIS" in os.environ:
    _store: dict[str, Any] = {
        "BACKEND": "channels.topics.stores.redis.RedisStore",
        "CONFIG": {"hosts": [os.environ["TOPICS_REDIS"]], "presence_lease": LEASE},
    }
else:
    _store = {
        "BACKEND": "channels.topics.stores.host.HostStore",
        "CONFIG": {"path": os.environ["TOPICS_PATH"], "presence_lease": LEASE},
    }
CHANNELS_TOPICS: dict[str, Any] = {"STORES": {"default": _store}, "RECOVERY_LIMIT": 5_000}
